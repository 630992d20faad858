import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { type Fuzzed, fuzz, schemathesis } from '../support/schemathesis.js';

/*
 * A running server under schemathesis, which makes up requests from deploy/openapi.json, valid ones and others: no answer
 * is a server error, and every answer is as described. When it is over the log is audited, as after every suite.
 */

const EXAMPLES = Number(process.env.MUSTER_FUZZ_EXAMPLES ?? 200);
/** With 200 examples all three together stay below four minutes: what has not come to its turn by then is said. */
const BUDGET_SECONDS = EXAMPLES > 200 ? 1_500 : 140;
/** And the time to stop, and for the report. */
const TEST_MS = (BUDGET_SECONDS + 60) * 1_000;
const HANDSET_ROUTES = '^/(d|enrol|tuf)/';
const OF_HANDSETS = ['--include-path-regex', HANDSET_ROUTES];
const OF_PEOPLE = [
  ...['--exclude-path-regex', `${HANDSET_ROUTES}|^/v1/live`], // the live stream does not end
  '--exclude-path',
  '/enrol/v1',
];

const program = schemathesis();

describe.runIf(program !== undefined)('the API under schemathesis', () => {
  let muster: Installation;

  beforeAll(async () => {
    // All requests of the handsets' run come from one client, in a surge that no surge control shall end.
    muster = await Installation.start('schemathesis', { MUSTER_HANDSET_LEAST_PER_SECOND: '100000' });
  });
  afterAll(() => muster.stop());

  const run = async (url: string, name: string, share: number, args: readonly string[]): Promise<Fuzzed> => {
    const folder = path.join(muster.folder.path, name);
    mkdirSync(folder, { recursive: true });
    const budgetSeconds = BUDGET_SECONDS * share;
    const fuzzed = await fuzz(program!, { url, folder, examples: EXAMPLES, budgetSeconds, args });
    const { findings, ...figures } = fuzzed;
    console.log(
      `schemathesis, ${name}: ${JSON.stringify({ examples: EXAMPLES, ...figures, findings: findings.length })}`,
    );
    return fuzzed;
  };
  const expectSound = ({ findings, operations, isComplete }: Fuzzed): void => {
    expect(findings).toEqual([]);
    expect(operations.tested).toBeGreaterThan(0);
    // One that takes no input at all has no further case once the first phase has tried it.
    if (isComplete) expect(operations.selected - operations.tested).toBeLessThanOrEqual(1);
  };

  it(
    'answers an administrator as described, and never with a server error',
    async () => {
      const ownSession = ['sessions_close', 'sessions_changepassword'].flatMap((id) => ['--exclude-operation-id', id]);
      const token = ['--header', `Authorization: Bearer ${muster.admin}`];
      expectSound(await run(muster.server.url, 'administrator', 1, [...OF_PEOPLE, ...ownSession, ...token]));
    },
    TEST_MS,
  );

  it(
    'answers a stranger as described, and never with a server error',
    async () => {
      expectSound(await run(muster.server.url, 'stranger', 0.3, OF_PEOPLE));
    },
    TEST_MS,
  );

  it(
    'answers a handset as described, and never with a server error',
    async () => {
      const { certificate, key } = await muster.enrol();
      const file = (name: string, text: string): string => {
        const at = path.join(muster.folder.path, name);
        writeFileSync(at, text, { mode: 0o600 });
        return at;
      };
      const tls = [
        ...['--tls-verify', file('ca.pem', muster.ca)],
        ...['--request-cert', file('handset.pem', certificate)],
        ...['--request-cert-key', file('handset.key', key.privateKeyPem)],
      ];
      const url = `https://127.0.0.1:${muster.server.handsetPort}`;
      expectSound(await run(url, 'handset', 0.3, [...OF_HANDSETS, ...tls]));
    },
    TEST_MS,
  );
});

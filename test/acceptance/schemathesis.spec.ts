import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { type Fuzzed, fuzz, type FuzzOptions, schemathesis } from '../support/schemathesis.js';

/*
 * A running server under schemathesis, which makes up requests from deploy/openapi.json, valid ones and others: no answer
 * is a server error, and every answer is as described. When it is over the log is audited, as after every suite.
 */

const EXAMPLES = Number(process.env.MUSTER_FUZZ_EXAMPLES ?? 200);
/** Of fuzzing, all three together: whose turn comes by then the seed says; a change is judged by one, `MUSTER_FUZZ_SEED` tries others. */
const BUDGET_SECONDS = EXAMPLES > 200 ? 2_400 : 160;
/** What comes before, each way of each operation once, must end by itself: some 300 s for an administrator at a load of 20. */
const COVERED_BY_SECONDS = 900;
/** And must have asked so many of the operations. */
const COVERED = 0.9;
/** Both, the time to stop, and for the report. */
const TEST_MS = (BUDGET_SECONDS + COVERED_BY_SECONDS + 60) * 1_000;
const HANDSET_ROUTES = '^/(d|enrol|tuf)/';
const OF_HANDSETS = ['--include-path-regex', HANDSET_ROUTES];
const OF_PEOPLE = [
  // The live stream does not end; the hawkBit device API is no API of ours, and test/http/ddi.spec.ts has its table of bad bodies.
  ...['--exclude-path-regex', `${HANDSET_ROUTES}|/controller/v1/|^/v1/live`],
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
  afterAll(() => muster?.stop());

  /** Covers each operation, then fuzzes for a share of the budget. */
  const expectSound = async (url: string, name: string, share: number, args: readonly string[]): Promise<void> => {
    const show = async (phases: FuzzOptions['phases'], budgetSeconds: number): Promise<Fuzzed> => {
      const folder = path.join(muster.folder.path, `${name}-${phases.join('-')}`);
      const fuzzed = await fuzz(program!, { url, folder, phases, examples: EXAMPLES, budgetSeconds, args });
      const figures = { examples: EXAMPLES, ...fuzzed, findings: fuzzed.findings.length };
      console.log(`schemathesis, ${name}, ${phases.join(' and ')}: ${JSON.stringify(figures)}`);
      expect(fuzzed.findings).toEqual([]);
      return fuzzed;
    };
    const { operations, ending } = await show(['examples', 'coverage'], COVERED_BY_SECONDS);
    expect(ending).toBe('completed');
    expect(operations.tested / operations.selected).toBeGreaterThanOrEqual(COVERED);
    const fuzzed = await show(['fuzzing'], BUDGET_SECONDS * share);
    expect(['completed', 'budget over']).toContain(fuzzed.ending);
  };

  it(
    'answers an administrator as described, and never with a server error',
    async () => {
      const ownSession = ['sessions_close', 'sessions_changepassword'].flatMap((id) => ['--exclude-operation-id', id]);
      const token = ['--header', `Authorization: Bearer ${muster.admin}`];
      await expectSound(muster.server.url, 'administrator', 0.6, [...OF_PEOPLE, ...ownSession, ...token]);
      // Had a made-up request ended the session, the rest of them would have been a stranger's.
      expect((await muster.people('GET', '/v1/me')).status).toBe(200);
    },
    TEST_MS,
  );

  it(
    'answers a stranger as described, and never with a server error',
    async () => {
      await expectSound(muster.server.url, 'stranger', 0.2, OF_PEOPLE);
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
      await expectSound(url, 'handset', 0.2, [...OF_HANDSETS, ...tls]);
    },
    TEST_MS,
  );
});

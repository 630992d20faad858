import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonWithTuf } from '../../../test/support/python-tuf.js';
import { serveRepository } from '../../../test/support/tuf-mirror.js';
import { canonicalJson } from './canonical-json.js';
import { binOf } from './delegation.js';
import { targetName } from './metadata.js';
import { generateSigner } from './signer.js';
import { checkTarget } from './target-check.js';
import { RepositorySimulator } from './testing.js';
import { drive, TufClient, type TufPorts } from './workflow.js';

const SUPPORT = path.resolve(import.meta.dirname, '../../../test/support');
const python = pythonWithTuf();
const folder = mkdtempSync(path.join(tmpdir(), 'muster-tuf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Verdict {
  ok: boolean;
  error?: string;
  message?: string;
  files?: string[];
}

/** Other people's clients, each in a process of its own: command line and answers are the same. */
const JUDGES: [name: string, command: string | undefined, script: string][] = [
  ['python-tuf', python, 'tuf_client.py'],
  ['tuf-js', process.execPath, 'tuf-js-client.mjs'],
];

function judge(command: string, script: string, args: readonly string[]): Promise<Verdict> {
  const child = spawn(command, [path.join(SUPPORT, script), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(JSON.parse(text) as Verdict));
  });
}

/** A repository with all that we publish: thresholds of two, delegations, hash bins, odd names and characters. */
function published(): RepositorySimulator {
  const repository = new RepositorySimulator(Date.now());
  for (const role of ['root', 'targets'] as const) {
    repository.state(role).signers.push(generateSigner(), generateSigner());
    repository.state(role).threshold = 2;
  }
  repository.delegate('targets', [
    { name: 'catalogue', paths: ['content/*'], terminating: true },
    { name: 'policy', paths: ['rules/*', 'policy/*'] },
  ]);
  repository.delegateToBins('catalogue', 'catalogue', 2);
  for (const name of ['a', 'é \u{1f600}', '__proto__', 'constructor'])
    repository.addTarget(`content/${name}`, Buffer.from(name), {
      role: binOf({ namePrefix: 'catalogue', bitLength: 2 }, `content/${name}`),
      custom: { '\u{1f600}': 'q"\\\n\u2028', é: [1, null, { deep: true }] },
    });
  repository.addTarget('rules/1', Buffer.from('{}'), { role: 'policy' });
  repository.roles.root.version = 0; // signed anew from the first version, with the keys above
  repository.publish('root');
  repository.publishTargets();
  return repository;
}

describe.each(JUDGES)('%s', (name, command, script) => {
  let repository: RepositorySimulator;
  let server: Awaited<ReturnType<typeof serveRepository>>;
  let runs = 0;

  beforeAll(async () => {
    repository = published();
    server = await serveRepository(repository.files as Map<string, Buffer>);
  });
  afterAll(() => server.close());

  const run = (targets: string[]): Promise<Verdict> => {
    const home = path.join(folder, `${name}-${runs++}`);
    const root = `${home}.root.json`;
    writeFileSync(root, repository.file('1.root.json'));
    return judge(command!, script, [
      ...['--metadata-dir', home, '--metadata-url', server.url, '--root', root],
      ...['--target-base-url', `${server.url}targets/`, '--target-dir', `${home}-targets`, ...targets],
    ]);
  };

  it.skipIf(command === undefined)('refreshes and downloads from what we build', async () => {
    const { ok, files, error, message } = await run(['content/a', 'rules/1']);
    expect({ ok, error, message }).toEqual({ ok: true });
    expect(files!.map((file) => readFileSync(file, 'utf8'))).toEqual(['a', '{}']);
  });

  it.skipIf(command === undefined)('refuses a role of ours that another key signed', async () => {
    const honest = repository.targetsOf('policy').signers;
    repository.targetsOf('policy').signers = [generateSigner()];
    repository.publish('policy', 'snapshot', 'timestamp');
    expect(await run(['rules/1'])).toMatchObject({ ok: false, message: expect.stringMatching(/sign/) as string });
    repository.targetsOf('policy').signers = honest;
    repository.publish('policy', 'snapshot', 'timestamp');
    expect(await run(['rules/1'])).toMatchObject({ ok: true });
  });
});

describe.skipIf(python === undefined)('python-tuf’s own repository', () => {
  const repository = path.join(folder, 'written');
  const tool = (args: string[], input = '') =>
    spawnSync(python!, [path.join(SUPPORT, 'tuf_repository.py'), ...args], { input, encoding: 'utf8' });
  const read = (name: string) => {
    const held = readdirSync(path.join(repository, path.dirname(name))).includes(path.basename(name));
    return held ? readFileSync(path.join(repository, name)) : undefined;
  };

  beforeAll(() => {
    const { status, stderr } = tool(['write', repository]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('is read by our client: delegations, hash prefixes, hash bins, both ways to write JSON', async () => {
    const store = new Map<string, Uint8Array>();
    const ports: TufPorts = {
      load: (name) => Promise.resolve(store.get(name)),
      store: (name, bytes) => Promise.resolve(void store.set(name, bytes)),
      remove: (name) => Promise.resolve(void store.delete(name)),
      fetch: (name) => Promise.resolve(read(name)),
    };
    const client = new TufClient({ root: read('1.root.json')!, now: Date.now() });
    await drive(client.refresh(), ports);
    const listed = await drive(client.targets(), ports);
    expect(listed.map((target) => target.path).sort()).toEqual(
      ['top', 'policy', ...Array.from({ length: 8 }, (_, n) => `content/${n}`)].sort(),
    );
    for (const target of listed) checkTarget(target, read(`targets/${targetName(target)}`)!);
    expect(listed.find((target) => target.path === 'content/3')!.custom).toEqual({
      '\uffee': 1,
      '\u{1f600}': ['\n', null, true],
      é: '\u2028',
    });
  });

  it('has the same canonical JSON as we do, byte by byte', () => {
    const items: unknown[] = [
      null,
      [],
      {},
      [true, false, 0, -1, 2 ** 53 - 1],
      { '\u{1f600}': 1, '\uffee': 2, '\ud7ff': 3, z: 4, Z: 5, '': 6, a: { b: [{}] } },
      'q"\\\b\f\n\r\t\u0000\u001f\u007f\u2028é\u{1f600}',
      { '"': '\\', '\\': '"', constructor: 1, ['__proto__']: { x: 1 } },
    ];
    const { stdout } = tool(['canonical'], JSON.stringify(items));
    expect(items.map((item) => Buffer.from(canonicalJson(item)).toString('hex'))).toEqual(JSON.parse(stdout));
  });
});

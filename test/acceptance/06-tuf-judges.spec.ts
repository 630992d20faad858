import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigner } from '#tuf/index.js';
import { RepositorySimulator } from '#tuf/testing.js';
import { canRun } from '../support/prerequisites.js';
import { eventually, run, temporaryFolder } from '../support/processes.js';
import { pythonWithTuf } from '../support/python-tuf.js';
import { Cli, Handset, removeServer, type Server, startServer } from '../support/server.js';
import { currentName, forgeSignature, mirror, serveRepository } from '../support/tuf-mirror.js';

/*
 * The catalogue of a running server, judged by two clients that others wrote and by our own. First against the server
 * itself, then against copies of it on which an attack was made. No attack here has a key: whoever stands between.
 */

interface Visit {
  metadataDir: string;
  url: string;
  targets?: string[];
  /** Shift of the clock, as faketime takes it: `+25h`. */
  at?: string;
  /** TLS towards the real server, and a grant for content bytes. */
  tls?: { ca: string; cert: string; key: string; grant: string };
}
interface Verdict {
  ok: boolean;
  /** The exception's class, or our code. */
  error?: string;
  message?: string;
}
interface Judge {
  name: string;
  visit(visit: Visit): Promise<Verdict>;
}

const folder = temporaryFolder('acceptance-tuf');
const file = (name: string, bytes: string | Uint8Array): string => {
  const where = path.join(folder.path, name);
  mkdirSync(path.dirname(where), { recursive: true });
  writeFileSync(where, bytes);
  return where;
};
const targetDir = path.join(folder.path, 'targets');

const timed = (at: string | undefined, command: string, args: string[]) => {
  const env = { PATH: process.env.PATH, HOME: folder.path, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return at === undefined ? run(command, args, { env }) : run('faketime', ['-f', at, command, ...args], { env });
};
const options = ({ metadataDir, url, tls, targets = [] }: Visit, root: string): string[] => [
  ...[
    '--metadata-dir',
    metadataDir,
    '--metadata-url',
    url,
    '--target-base-url',
    `${url}targets/`,
    '--target-dir',
    targetDir,
    '--root',
    root,
  ],
  ...(tls === undefined ? [] : ['--ca', tls.ca, '--cert', tls.cert, '--key', tls.key, '--grant', tls.grant]),
  ...targets,
];
const verdict = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1)!) as Verdict;

let root = '';
const python = pythonWithTuf();
const pythonTuf: Judge = {
  name: 'python-tuf',
  visit: async (visit) =>
    verdict(
      (
        await timed(visit.at, python ?? 'python3', [
          path.resolve('test/support/tuf_client.py'),
          ...options(visit, root),
        ])
      ).stdout,
    ),
};
const tufJs: Judge = {
  name: 'tuf-js',
  visit: async (visit) =>
    verdict(
      (
        await timed(visit.at, process.execPath, [
          path.resolve('test/support/tuf-js-client.mjs'),
          ...options(visit, root),
        ])
      ).stdout,
    ),
};
const ours: Judge = {
  name: 'muster-handset',
  visit: async ({ metadataDir, url, at, targets = [] }) => {
    const cli = path.resolve('dist/apps/handset/src/cli.js');
    const shared = ['tuf', '--metadata-dir', metadataDir];
    if (!existsSync(path.join(metadataDir, 'root.json')))
      await timed(undefined, process.execPath, [cli, ...shared, 'init', root]);
    const wanted = targets.flatMap((name) => ['--target-name', name]);
    const tail =
      targets.length === 0
        ? ['refresh']
        : [...wanted, '--target-base-url', `${url}targets/`, '--target-dir', targetDir, 'download'];
    const { code, output } = await timed(at, process.execPath, [cli, ...shared, '--metadata-url', url, ...tail]);
    return code === 0
      ? { ok: true }
      : { ok: false, error: /"code":"([^"]+)"/.exec(output)?.[1] ?? output, message: output };
  },
};

const bytes = randomBytes(70_000);
let server: Server;
let cli: Cli;
let contentId = '';
let older: Map<string, Buffer>;
let newer: Map<string, Buffer>;
let repository: Awaited<ReturnType<typeof serveRepository>>;
let tls: NonNullable<Visit['tls']>;
let base = '';

async function publish(name: string, version: string): Promise<string> {
  const content = await cli.json<{ contentId: string }>('content', 'publish', file(name, bytes), '--version', version);
  const campaign = await cli.json<{ campaignId: string }>(
    'campaign',
    'draft',
    '--name',
    name,
    '--content',
    content.contentId,
  );
  await cli.text('campaign', 'schedule', campaign.campaignId);
  const holds = async () => {
    const files = await mirror(base);
    return files.get(currentName(files, 'catalogue'))!.toString('utf8').includes(campaign.campaignId)
      ? true
      : undefined;
  };
  await eventually('the catalogue holds the campaign', holds);
  await eventually('it runs', async () =>
    (await cli.json<{ status: string }>('campaign', 'show', campaign.campaignId)).status === 'running'
      ? true
      : undefined,
  );
  grantFor = { contentId: content.contentId, campaignId: campaign.campaignId };
  return content.contentId;
}
let grantFor = { contentId: '', campaignId: '' };

/** A grant as any handset gets one: by asking for the identifier. */
async function askForGrant(identity: { key: string; certificate: string; serverCa: string }): Promise<string> {
  const timestamp = JSON.parse((await mirror(base)).get('timestamp.json')!.toString('utf8')) as {
    signed: { meta: { 'snapshot.json': { version: number } } };
  };
  const body = JSON.stringify({
    snapshotVersion: timestamp.signed.meta['snapshot.json'].version,
    requests: [grantFor],
  });
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request(
      `https://127.0.0.1:${server.handsetPort}/d/v1/requests`,
      { method: 'POST', headers, key: identity.key, cert: identity.certificate, ca: identity.serverCa },
      (reply) => {
        let text = '';
        reply.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        reply.on('end', () => resolve(text));
      },
    );
    call.on('error', reject).end(body);
  });
  const { answers } = JSON.parse(answer) as { answers: { grant?: string }[] };
  const grant = answers[0]?.grant;
  if (grant === undefined) throw new Error(`no grant: ${answer}`);
  return grant;
}

const ready = python !== undefined && canRun('faketime');

beforeAll(async () => {
  if (!ready) return;
  server = await startServer({ data: path.join(folder.path, 'data') });
  cli = await new Cli(server, path.join(folder.path, 'manager')).login();
  base = `https://127.0.0.1:${server.handsetPort}/tuf/main/main/`;
  const handset = new Handset('judge', folder.path);
  const { line } = await cli.json<{ line: string }>('device', 'code', '--label', 'judge');
  await handset.text(...line.split(' ').slice(2));
  const identity = JSON.parse(readFileSync(path.join(handset.folder, 'identity.json'), 'utf8')) as {
    key: string;
    certificate: string;
    serverCa: string;
  };

  const first = await publish('first.bin', '1.0.0');
  older = await mirror(base);
  contentId = await publish('second.bin', '2.0.0');
  newer = await mirror(base);
  expect(first).not.toBe(contentId);
  root = file('trusted-root.json', newer.get('1.root.json')!);
  tls = {
    ca: file('ca.pem', identity.serverCa),
    cert: file('device.pem', identity.certificate),
    key: file('device.key', identity.key),
    grant: await askForGrant(identity),
  };
  repository = await serveRepository(newer);
});

afterAll(async () => {
  await repository?.close();
  await removeServer(server);
  folder.remove();
});

describe.skipIf(!ready)('the catalogue before judges', () => {
  for (const judge of [pythonTuf, tufJs]) {
    it(`${judge.name} refreshes from the running server and downloads content and rules`, async () => {
      const { path: held } = temporaryFolderIn(judge.name);
      const rules = [...targetsOf(newer, 'policy')].find((name) => name.startsWith('rules/'))!;
      expect(
        await judge.visit({ metadataDir: held, url: base, tls, targets: [`content/${contentId}`, rules] }),
      ).toMatchObject({ ok: true });
      const digest = createHash('sha256').update(bytes).digest('hex');
      const downloaded = readFileSync(path.join(targetDir, encodeURIComponent(`content/${contentId}`)));
      expect(createHash('sha256').update(downloaded).digest('hex')).toBe(digest);
    });
  }

  interface Attack {
    name: string;
    /** What the client finds after it has seen the repository whole; the first visit sees `start`, or the newer one. */
    start?: () => Map<string, Buffer>;
    files: () => Map<string, Buffer>;
    at?: string;
    /** What each says: class or code, then a part of its message. */
    refused: Record<'python-tuf' | 'tuf-js' | 'muster-handset', [string, RegExp?]>;
  }
  const changed = (role: string, change: (bytes: Buffer) => Buffer): Map<string, Buffer> => {
    const files = new Map(newer);
    const name = currentName(files, role);
    return files.set(name, change(files.get(name)!));
  };
  // tuf-js wraps what it finds in a RuntimeError below root and timestamp: its message is the difference.
  const attacks: Attack[] = [
    {
      name: 'rollback to an older catalogue',
      files: () => older,
      refused: {
        'python-tuf': ['BadVersionNumberError'],
        'tuf-js': ['BadVersionError'],
        'muster-handset': ['tuf.rollback'],
      },
    },
    {
      name: 'freeze: the same catalogue for 25 hours',
      files: () => newer,
      at: '+25h',
      refused: {
        'python-tuf': ['ExpiredMetadataError', /timestamp/],
        'tuf-js': ['RuntimeError', /timestamp.*expired/],
        'muster-handset': ['tuf.expired', /timestamp/],
      },
    },
    {
      name: 'mix-and-match: an old catalogue under the new snapshot',
      start: () => older,
      files: () => new Map(newer).set(currentName(newer, 'catalogue'), older.get(currentName(older, 'catalogue'))!),
      refused: {
        'python-tuf': ['LengthOrHashMismatchError'],
        'tuf-js': ['RuntimeError', /targets.*Expected length/],
        'muster-handset': ['tuf.length-mismatch', /catalogue/],
      },
    },
    {
      name: 'a timestamp signed by another key',
      start: () => older,
      files: () => changed('timestamp', forgeSignature),
      refused: {
        'python-tuf': ['UnsignedMetadataError'],
        'tuf-js': ['UnsignedMetadataError'],
        'muster-handset': ['tuf.threshold'],
      },
    },
    {
      name: 'extra bytes behind the snapshot',
      start: () => older,
      files: () => changed('snapshot', (b) => Buffer.concat([b, Buffer.from(' ')])),
      refused: {
        'python-tuf': ['DownloadLengthMismatchError'],
        'tuf-js': ['RuntimeError', /Max length reached/],
        'muster-handset': ['transport.too-large'],
      },
    },
    {
      name: 'a snapshot of the wrong length',
      start: () => older,
      files: () => changed('snapshot', (b) => b.subarray(0, -1)),
      refused: {
        'python-tuf': ['LengthOrHashMismatchError'],
        'tuf-js': ['RuntimeError', /snapshot.*Expected length/],
        'muster-handset': ['tuf.length-mismatch', /snapshot/],
      },
    },
    {
      name: 'an expired root',
      files: () => newer,
      at: '+400d',
      refused: {
        'python-tuf': ['ExpiredMetadataError', /root/],
        'tuf-js': ['ExpiredMetadataError', /root/],
        'muster-handset': ['tuf.expired', /root/],
      },
    },
    {
      name: 'one delegated role in the place of another',
      start: () => older,
      files: () => changed('catalogue', () => newer.get(currentName(newer, 'policy'))!),
      refused: {
        'python-tuf': ['LengthOrHashMismatchError'],
        'tuf-js': ['RuntimeError', /targets.*Expected length/],
        'muster-handset': ['tuf.length-mismatch', /catalogue/],
      },
    },
  ];

  for (const attack of attacks) {
    for (const judge of [pythonTuf, tufJs, ours]) {
      it(`${judge.name} refuses ${attack.name}`, async () => {
        const { path: held } = temporaryFolderIn(judge.name);
        repository.files = attack.start?.() ?? newer;
        expect(await judge.visit({ metadataDir: held, url: repository.url })).toMatchObject({ ok: true });
        repository.files = attack.files();
        // Delegated roles are read when a target is asked for.
        const answer = await judge.visit({
          metadataDir: held,
          url: repository.url,
          targets: [`content/${contentId}`],
          ...(attack.at === undefined ? {} : { at: attack.at }),
        });
        const [error, message = /^/] = attack.refused[judge.name as keyof Attack['refused']];
        expect(answer).toMatchObject({ ok: false, error });
        expect(answer.message).toMatch(message);
      });
    }
  }
});

describe('two delegators with one role name', () => {
  it('do not speak for each other before muster-handset', async () => {
    const files = twoDelegators();
    const hostile = await serveRepository(files);
    root = file('simulated-root.json', files.get('1.root.json')!);
    const { path: held } = temporaryFolderIn('two-delegators');
    expect(await ours.visit({ metadataDir: held, url: hostile.url, targets: ['a/x'] })).toEqual({ ok: true });
    const refused = await ours.visit({ metadataDir: held, url: hostile.url, targets: ['b/x'] });
    expect(refused).toMatchObject({ ok: false, error: 'tuf.threshold' });
    await hostile.close();
  });
});

/** A and B both delegate to a role `release`, each to a key of its own; what is served is signed by the key of A. */
function twoDelegators(): Map<string, Buffer> {
  const repository = new RepositorySimulator(Date.now());
  const [a, b] = ['a', 'b'].map((name) => ({ name, paths: [`${name}/*`] })) as [Scoped, Scoped];
  repository.delegate('targets', [a, b]);
  repository.delegate('a', [{ name: 'release', paths: a.paths }]);
  const keyOfA = repository.targetsOf('release').signers;
  repository.targetsOf('release').signers = [generateSigner()];
  repository.delegate('b', [{ name: 'release', paths: b.paths }]);
  repository.targetsOf('release').signers = keyOfA;
  repository.addTarget('a/x', Buffer.from('good'), { role: 'release' });
  repository.addTarget('b/x', Buffer.from('evil'), { role: 'release' });
  repository.publish('release', 'a', 'b', 'targets', 'snapshot', 'timestamp');
  return new Map([...repository.files].map(([name, bytes]) => [name, Buffer.from(bytes)]));
}
interface Scoped {
  name: string;
  paths: string[];
}

let visits = 0;
function temporaryFolderIn(name: string): { path: string } {
  visits += 1;
  const where = path.join(folder.path, `held-${name}-${visits}`);
  mkdirSync(where);
  return { path: where };
}

function targetsOf(files: Map<string, Buffer>, role: string): Set<string> {
  const { signed } = JSON.parse(files.get(currentName(files, role))!.toString('utf8')) as {
    signed: { targets: Record<string, unknown> };
  };
  return new Set(Object.keys(signed.targets));
}

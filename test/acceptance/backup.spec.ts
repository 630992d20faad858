import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCanaries, textCanary } from '../support/canary.js';
import { asSuperuser } from '../support/database-scan.js';
import { eventually, freePort, temporaryFolder } from '../support/processes.js';
import {
  audited,
  Cli,
  Handset,
  onFolder,
  removeMade,
  removeServer,
  type Server,
  startServer,
} from '../support/server.js';

/* A backup of a server that goes on, restored on another folder: the server is as it was, and its handsets go on. */

const folder = temporaryFolder('backup');
const at = (name: string): string => path.join(folder.path, name);
const label = textCanary('van-');
const saved = at('saved');
const kek = at('kek');
let server: Server;
let restoredOutput = '';
let cli: Cli;
let ports: Record<string, string>;
const handsets: Record<'early' | 'late', Handset> = {} as never;

beforeAll(async () => {
  ports = { MUSTER_PORT: String(await freePort()), MUSTER_HANDSET_PORT: String(await freePort()) };
  server = await startServer({ data: at('data'), env: ports });
  cli = await new Cli(server, at('manager')).login();
  handsets.early = await enrolled('early');
  handsets.late = await enrolled('late');
  await publish('first');
  for (const handset of Object.values(handsets)) expect(await handset.text('poll')).toContain('answer');
});
afterAll(async () => {
  await removeServer(server);
  removeMade(restoredOutput);
  folder.remove();
});

async function enrolled(name: string): Promise<Handset> {
  const handset = new Handset(name, folder.path);
  const { line } = await cli.json<{ line: string }>('device', 'code', '--label', label);
  await handset.text(...line.split(' ').slice(2));
  return handset;
}

/** A content and a campaign with it, signed into the catalogue. */
async function publish(name: string): Promise<string> {
  const file = at(`${name}.bin`);
  writeFileSync(file, randomBytes(20_000));
  const { contentId } = await cli.json<{ contentId: string }>('content', 'publish', file);
  const draft = ['draft', '--name', name, '--content', contentId];
  const { campaignId } = await cli.json<{ campaignId: string }>('campaign', ...draft);
  await cli.text('campaign', 'schedule', campaignId);
  await eventually(`${name} is in the catalogue`, async () => {
    const found = await asSuperuser(server.data, (client) =>
      client.query(`select from log.record where type like '%catalogue-published%' and data::text like $1`, [
        `%${campaignId}%`,
      ]),
    );
    return found.rowCount === 0 ? undefined : true;
  });
  return campaignId;
}

const restore = (from: string, to: string, ...args: string[]) => onFolder({ data: at(to) }, ['restore', from, ...args]);
const filesIn = (where: string): string[] =>
  readdirSync(where, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

describe('a backup', () => {
  it('is of one moment, while people and handsets go on', async () => {
    let isDone = false;
    const busy = (async () => {
      for (let i = 0; !isDone; i += 1) await cli.text('device', 'code', '--label', `busy ${i}`);
    })();
    const { code, output } = await onFolder(server, ['backup', saved]);
    isDone = true;
    await busy;
    expect(code, output).toBe(0);
    cpSync(path.join(server.data, 'keys', 'kek'), kek);
  });

  it('holds nothing that opens without the key, nor the key', async () => {
    const key = Buffer.from(readFileSync(kek, 'utf8').trim(), 'base64url');
    const passwords = Object.values(
      JSON.parse(readFileSync(path.join(server.data, 'passwords.json'), 'utf8')) as Record<string, string>,
    );
    const all = Buffer.concat(filesIn(saved).map((file) => readFileSync(file)));
    expect(all.includes(key) || all.includes(key.toString('hex')) || all.includes(key.toString('base64url'))).toBe(
      false,
    );
    expect(findCanaries(all, passwords)).toEqual([]);
    expect(all.toString('latin1')).not.toMatch(/PRIVATE KEY|"d":|"private"/);
    // The label is in plain in the rows that an operator looks devices up by, and sealed in the log.
    expect(
      filesIn(saved)
        .filter((file) => findCanaries(readFileSync(file), [label]).length > 0)
        .map((file) => path.basename(file))
        .sort(),
    ).toEqual(['ops.device.ndjson', 'ops.enrolment_code.ndjson']);
  });

  it('is not written into a folder that holds something, nor beside the key', async () => {
    for (const [target, code] of [
      [saved, 'not empty'],
      [path.join(server.data, 'b'), 'must lie outside'],
    ] as const) {
      const refused = await onFolder(server, ['backup', target]);
      expect(refused.code).toBe(1);
      expect(refused.output).toContain(code);
    }
  });
});

describe('a restore', () => {
  const other = at('other-kek');
  const refusals: [why: string, prepare: () => { from: string; args: string[] }, said: string][] = [
    ['no key', () => ({ from: saved, args: [] }), 'name its file by --kek'],
    [
      'another key',
      () => {
        writeFileSync(other, randomBytes(32).toString('base64url'), { mode: 0o600 });
        return { from: saved, args: ['--kek', other] };
      },
      'is not the key-encryption key of this backup',
    ],
    [
      'a key that others can read',
      () => {
        cpSync(kek, other);
        chmodSync(other, 0o644);
        return { from: saved, args: ['--kek', other] };
      },
      'kek-readable-by-others',
    ],
    [
      'a folder without a finished backup',
      () => {
        mkdirSync(at('empty'));
        return { from: at('empty'), args: ['--kek', kek] };
      },
      'holds no finished backup',
    ],
    [
      'a table that was changed',
      () => {
        cpSync(saved, at('changed'), { recursive: true });
        appendFileSync(at('changed/tables/log.record.ndjson'), '[]\n');
        return { from: at('changed'), args: ['--kek', kek] };
      },
      'is not what was backed up',
    ],
    [
      'a newer release',
      () => {
        cpSync(saved, at('newer'), { recursive: true });
        const manifest = JSON.parse(readFileSync(at('newer/manifest.json'), 'utf8')) as { migrations: string[] };
        manifest.migrations.push('CreateTomorrow1999999999999');
        writeFileSync(at('newer/manifest.json'), JSON.stringify(manifest));
        return { from: at('newer'), args: ['--kek', kek] };
      },
      'newer release',
    ],
    [
      'a manifest that names a path',
      () => {
        cpSync(saved, at('path'), { recursive: true });
        const text = readFileSync(at('path/manifest.json'), 'utf8').replace('"ops.tenant"', '"ops.tenant/../../x"');
        writeFileSync(at('path/manifest.json'), text);
        return { from: at('path'), args: ['--kek', kek] };
      },
      'is not one of ours',
    ],
  ];
  it.each(refusals)('is refused for %s, and makes nothing', async (_, prepare, said) => {
    const { from, args } = prepare();
    const { code, output } = await restore(from, 'refused', ...args);
    expect(code).toBe(1);
    expect(output).toContain(said);
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('is refused for a folder that holds something', async () => {
    mkdirSync(at('full'));
    writeFileSync(at('full/file'), '');
    const { code, output } = await restore(saved, 'full', '--kek', kek);
    expect(code).toBe(1);
    expect(output).toContain('is not empty');
    expect(readdirSync(at('full'))).toEqual(['file']);
  });

  it('brings the server back as it was; its handsets go on, and one that saw more says so', async () => {
    const lost = await publish('second');
    expect(JSON.parse(await handsets.late.text('poll'))).toMatchObject({ answer: expect.any(String) as string });
    const campaigns = await cli.json<{ campaignId: string }[] | { items: { campaignId: string }[] }>(
      'campaign',
      'list',
    );
    expect(JSON.stringify(campaigns)).toContain(lost);
    await audited(server);
    await server.process.stop();

    const restored = await restore(saved, 'restored', '--kek', kek);
    expect(restored.code, restored.output).toBe(0);
    const before = server;
    server = await startServer({ data: at('restored'), env: ports });
    removeMade(before.process.output());
    expect(server.administrator).toBeUndefined();

    // Its people log in as before: sessions are rows.
    const after = await eventually('the read model', async () => {
      const text = JSON.stringify(await cli.json<object>('campaign', 'list'));
      return text.includes('first') ? text : undefined;
    });
    expect(after).not.toContain(lost);
    expect(JSON.parse(await handsets.early.text('poll'))).not.toMatchObject({ answer: 'failed' });
    expect((await handsets.late.run('poll')).stdout).toContain('tuf.rollback');
    await audited(server);
    restoredOutput = restored.output;
  });
});

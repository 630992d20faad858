import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asSuperuser } from '../support/database-scan.js';
import { type Enrolled, expectStatus, Installation } from '../support/installation.js';
import { eventually, temporaryFolder } from '../support/processes.js';
import { auditOf, audited, onFolder, removeMade, removeServer, type Server, startServer } from '../support/server.js';

/* Old facts of handsets leave the database for files, beside a server that goes on: nobody who reads the log can tell. */

const folder = temporaryFolder('archive');
const at = (name: string): string => path.join(folder.path, name);
let muster: Installation;
let device: Enrolled;
let seen: { items: { topic: string }[] };

beforeAll(async () => {
  muster = await Installation.start('archive');
  const contentId = await muster.publish(Buffer.from('content'));
  const campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await muster.settledEnd();
  device = await muster.enrol();
  for (let i = 0; i < 3; i += 1)
    expectStatus(await muster.handset('GET', '/tuf/main/main/timestamp.json', { device }), 200);
  const offer = { contentId, campaignId };
  expectStatus(
    await muster.handset('POST', '/d/v1/requests', { device, body: { snapshotVersion: 1, requests: [offer] } }),
    200,
  );
  await muster.recorded('PollsRecorded');
  await muster.settledEnd();
  await eventually('read models', async () => ((await auditOf(muster.server)).ok ? true : undefined));
  seen = await muster.ok('GET', '/v1/events?limit=200');
});
afterAll(async () => {
  await muster.stop({ isSound: false }); // the last test has stopped it
  folder.remove();
});

const archive = (...args: string[]) => onFolder(muster.server, ['archive', '--json', ...args]);
const archiveFolder = () => path.join(muster.server.data, 'archive');
const files = () => readdirSync(archiveFolder()).map((name) => path.join(archiveFolder(), name));
const facts = () => seen.items.filter(({ topic }) => topic === 'muster.device').length;
const metric = async (state: string): Promise<number> => {
  const text = (await muster.people('GET', '/metrics')).bytes.toString('utf8');
  return Number(new RegExp(`muster_log_archive_bytes\\{state="${state}"\\} (\\d+)`).exec(text)?.[1]);
};

describe('muster archive', () => {
  it('moves nothing that is young, by itself', async () => {
    const { code, stdout } = await archive();
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { records: 0, files: [], least: 10_000 }]);
    expect(files()).toEqual([]);
  });

  it.each([
    ['soon', 'is no age'],
    ['2999-01-01T00:00:00Z', 'is not past'],
  ])('refuses --before %s', async (before, said) => {
    const { code, output } = await archive('--before', before);
    expect([code, output]).toEqual([2, expect.stringContaining(said)]);
  });

  it('tells what would go, and moves it: facts of handsets alone, into files that zcat reads', async () => {
    const dry = JSON.parse((await archive('--before', '0s', '--least', '1', '--dry-run')).stdout) as {
      records: number;
    };
    expect(dry.records).toBe(facts());
    expect(await metric('archived')).toBe(0);
    expectSuccess(await onFolder(muster.server, ['audit', '--chain', at('head.json')]));
    const done = await archive('--before', '0s', '--least', '1');
    expectSuccess(done);
    expect(JSON.parse(done.stdout)).toMatchObject({ records: facts(), unnamed: [] });
    const lines = files().flatMap((file) => gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n'));
    expect(lines.length).toBe(facts() + files().length);
    expect(lines.filter((line) => line.includes('polls-recorded')).length).toBeGreaterThan(0);
    expect(await metric('archived')).toBe(files().reduce((sum, file) => sum + readFileSync(file).length, 0));
    const left = await asSuperuser(muster.server.data, (client) =>
      client.query("select from log.record where topic = 'muster.device'"),
    );
    expect(left.rowCount).toBe(0);
  });

  it('changes no event, no read model, and no hash of the chain', async () => {
    expect(await muster.ok('GET', '/v1/events?limit=200')).toEqual(seen);
    for (const name of ['campaign_progress', 'device_timeline'])
      await muster.ok('POST', `/v1/projections/${name}/rebuild`);
    expectSuccess(await onFolder(muster.server, ['audit', '--head', at('head.json')]));
    const timeline = await muster.ok<{ items: object[] }>('GET', `/v1/devices/${device.deviceId}/timeline`);
    expect(timeline.items.length).toBeGreaterThan(1);
  });

  it('goes on with what comes after', async () => {
    expectStatus(await muster.handset('GET', '/tuf/main/main/timestamp.json', { device }), 200);
    await muster.settledEnd();
    const before = files().length;
    expectSuccess(await archive('--before', '0s', '--least', '1'));
    expect(files().length).toBe(before + 1);
    await audited(muster.server);
  });

  it('has its files in a backup, and a restore begins with them', async () => {
    const { data, output } = await restoredFrom('saved', 'restored');
    expect(readdirSync(path.join(data, 'archive')).toSorted()).toEqual(readdirSync(archiveFolder()).toSorted());
    const server = await startServer({ data });
    await audited(server);
    await removeServer(server);
    removeMade(output);
    const [file] = readdirSync(at('saved/archive'));
    writeFileSync(at(`saved/archive/${file}`), 'x');
    const refused = await onFolder({ data: at('other') }, ['restore', at('saved'), '--kek', kek()]);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('is not what was backed up')]);
  });

  it('is named by the audit when a file is damaged or gone, with what cannot be rebuilt for it', async () => {
    const [file = ''] = files();
    const bytes = readFileSync(file);
    const place = `archive/${path.basename(file)}`;
    bytes[bytes.length - 12]! ^= 1;
    const good = readFileSync(file);
    writeFileSync(file, bytes);
    const codes = async () => (await auditOf(muster.server)).findings.map(({ code, where }) => `${code} ${where}`);
    expect(await codes()).toContain(`archive.damaged ${place}`);
    renameSync(file, at('away'));
    const found = await codes();
    expect(found).toContain(`archive.missing ${place}`);
    expect(found).toContain('projection.gap proj.checkpoint device_timeline');
    const backup = await onFolder(muster.server, ['backup', at('without')]);
    expect([backup.code, backup.output]).toEqual([1, expect.stringContaining(path.basename(file))]);
    writeFileSync(file, good, { mode: 0o600 });
    await audited(muster.server);
  });

  it('is named by the audit when a record of a file is in the table, too', async () => {
    const inTable = (sql: string) => asSuperuser(muster.server.data, (client) => client.query<{ place: string }>(sql));
    const { rows } = await inTable(`insert into log.record
      select a.topic, a.part, a.first_off, tenant, stream, 0, type, event_id, occurred_at, received_at, actor, command_id, correlation_id,
        null, null, null, null, null, data
      from (select * from log.archive limit 1) a, (select * from log.record where topic = 'muster.campaign' limit 1) r
      returning topic || '/' || part || '/' || off as place`);
    const { findings } = await auditOf(muster.server);
    expect(findings).toContainEqual(expect.objectContaining({ code: 'archive.twice', where: rows[0]!.place }));
    await inTable(`delete from log.record where topic || '/' || part || '/' || off = '${rows[0]!.place}'`);
    await audited(muster.server);
  });

  it('keeps a server from starting without its files, which says which one', async () => {
    await muster.server.process.stop();
    const [file = ''] = files();
    renameSync(file, at('gone'));
    await expect(startServer({ data: muster.server.data })).rejects.toThrow(path.basename(file));
    renameSync(at('gone'), file);
    const again: Server = await startServer({ data: muster.server.data });
    await audited(again);
    await again.process.stop();
  });
});

const kek = (): string => path.join(muster.server.data, 'keys', 'kek');

async function restoredFrom(saved: string, name: string): Promise<{ data: string; output: string }> {
  expectSuccess(await onFolder(muster.server, ['backup', at(saved)]));
  const data = at(name);
  const restored = await onFolder({ data }, ['restore', at(saved), '--kek', kek()]);
  expectSuccess(restored);
  expect(existsSync(path.join(data, 'archive'))).toBe(true);
  return { data, output: restored.output };
}

function expectSuccess({ code, output }: { code: number | null; output: string }): void {
  expect(code, output).toBe(0);
}

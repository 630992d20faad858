import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally } from '../support/faulty.js';
import { canMount, GivenPostgres, SmallDisk } from '../support/given-postgres.js';
import { type Answer, base64, expectProblem, expectStatus, sha256 } from '../support/installation.js';
import { eventually } from '../support/processes.js';

/*
 * F14: the disk of Postgres is full, and so is the one of contents: small file systems in memory, filled to the last byte.
 * What cannot be kept is refused and said, the rest goes on, and all is well by itself once there is room.
 */

const MIB = 1_048_576;

let postgres: GivenPostgres;
let muster: FaultyInstallation;
let disk: SmallDisk;
let contentId = '';

const readiness = async () => {
  const { status, body } = await muster.people('GET', '/readyz', { token: '' });
  const { checks } = body as { checks: { name: string; ok: boolean; reason?: string }[] };
  return { status, failed: checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`) };
};

const draft = (name: string): Promise<Answer> =>
  muster.people('POST', '/v1/campaigns', {
    body: { name, contents: [contentId] },
    headers: { 'idempotency-key': randomUUID() },
  });

/** The folders of uploads and contents lie on the small disk. */
function moveContents(): void {
  disk = new SmallDisk(path.join(postgres.data, 'contents'), 64);
  for (const name of ['uploads', 'contents']) {
    const [from, to] = [path.join(muster.server.data, name), path.join(disk.folder, name)];
    mkdirSync(to);
    rmSync(from, { recursive: true, force: true });
    symlinkSync(to, from);
  }
}

describe.skipIf(!canMount())('a full disk', () => {
  beforeAll(async () => {
    postgres = await GivenPostgres.start({ megabytes: 256 });
    const settings = { DATABASE_URL: postgres.url, MUSTER_DISK_LOW_BYTES: String(16 * MIB) };
    muster = await FaultyInstallation.start('disk-full', settings, postgres.data);
    moveContents();
    contentId = await muster.publish(Buffer.from('content'));
  });
  afterAll(async () => {
    disk?.free();
    postgres?.disk?.free();
    await muster?.stop();
    disk?.remove();
    await postgres?.remove();
  });

  it('F14, of Postgres: writes are refused with 503, reads go on, nothing acknowledged is lost, and it heals by itself', async () => {
    const acknowledged: string[] = [];
    const refused = new Map<string, number>();
    const write = async (name: string) => {
      const answer = await draft(name);
      if (answer.status === 201) return void acknowledged.push(name);
      const how = `${answer.status} ${(answer.body as { code: string }).code}, retry-after ${answer.headers['retry-after']}`;
      refused.set(how, (refused.get(how) ?? 0) + 1);
    };
    for (let n = 0; n < 5; n += 1) await write(`before ${n}`);
    expect(await readiness()).toEqual({ status: 200, failed: [] });

    postgres.disk!.fill();
    // Room in pages that are there already takes some more; then there is none.
    await eventually('writes are refused', async () => {
      await Promise.all(Array.from({ length: 8 }, () => write(`full ${randomUUID()} ${'x'.repeat(60)}`)));
      return refused.size > 0 || undefined;
    });
    await eventually('it is not ready', async () => {
      await write(`full ${randomUUID()}`);
      const { status, failed } = await readiness();
      return (status === 503 && failed.some((each) => each.startsWith('postgres: its disk is full'))) || undefined;
    });
    expectStatus(await muster.people('GET', '/v1/campaigns'), 200);
    expectStatus(await muster.people('GET', `/v1/contents/${contentId}`), 200);
    expectStatus(await muster.people('GET', '/v1/projections'), 200);
    expect(muster.server.process.isRunning()).toBe(true);

    postgres.disk!.free();
    await eventually('writers go on', async () => (await draft('after')).status === 201 || undefined);
    await eventually('it is ready', async () => (await readiness()).status === 200 || undefined);
    expect([...refused.keys()]).toEqual(['503 log.unavailable, retry-after 5']);
    await muster.expectSound();
    const rows = await muster.sql<{ name: string }>(
      `select data ->> 'name' as name from log.record
       where topic = 'muster.campaign' and type like '%campaign-drafted%' and data ->> 'name' = any($1)`,
      [acknowledged],
    );
    const recovered = new Set(rows.map(({ name }) => name)).size;
    printTally('F14 Postgres', {
      acknowledged: acknowledged.length,
      recovered,
      doubled: rows.length - recovered,
      refused: [...refused.values()].reduce((sum, n) => sum + n, 0),
    });
    expect({ recovered, rows: rows.length }).toEqual({ recovered: acknowledged.length, rows: acknowledged.length });
  });

  it('F14, of contents: an upload that does not fit is refused and takes no room, and fits once there is some', async () => {
    const bytes = randomBytes(8 * MIB);
    const location = await muster.createUpload(bytes.length, `filename ${base64('a.bin')}`);
    const uploadId = location.split('/').at(-1)!;
    expectStatus(await muster.append(location, bytes.subarray(0, MIB)), 204);

    disk.fill(3 * MIB);
    expectProblem(await muster.append(location, bytes.subarray(MIB), MIB), 503, 'upload.unavailable');
    expect(statSync(path.join(disk.folder, 'uploads', uploadId)).size).toBe(MIB);
    const { status, failed } = await readiness();
    expect({ status, failed }).toEqual({ status: 503, failed: [expect.stringContaining('MiB left for contents')] });
    expectStatus(await muster.people('GET', `/v1/contents/${contentId}`), 200);
    expect((await draft('while contents do not fit')).status).toBe(201);

    disk.free();
    expectStatus(await muster.append(location, bytes.subarray(MIB), MIB), 204);
    const body = { uploadId, description: { name: 'radio.bin', version: '2' } };
    await muster.ok('POST', '/v1/contents', { body });
    const kept = readdirSync(path.join(disk.folder, 'contents'), { recursive: true }) as string[];
    expect(kept.filter((name) => name.endsWith(sha256(bytes)))).toHaveLength(1);
    expect((await readiness()).status).toBe(200);
    await muster.expectSound();
    printTally('F14 contents', { acknowledged: 1, recovered: 1, doubled: 0 });
  });
});

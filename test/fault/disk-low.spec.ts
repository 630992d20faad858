import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { homeFolder } from '#event-log/index.js';
import { canMount, SmallDisk } from '../support/given-postgres.js';
import { base64, expectStatus, Installation } from '../support/installation.js';
import { removeServer } from '../support/server.js';

/*
 * A disk that fills up is told of while writes still succeed: /readyz is red and the counters say so, and nothing is refused.
 * The embedded database and the contents lie on small file systems in memory.
 */

const MIB = 1_048_576;
const LOW_MIB = 64;

let muster: Installation;
const disks: Record<string, SmallDisk> = {};

class OnSmallDisks extends Installation {
  protected static override prepare(data: string): void {
    disks.database = new SmallDisk(homeFolder(data), 320, 'nobody');
    disks.contents = new SmallDisk(data, 128);
  }

  override async stop(): Promise<void> {
    for (const disk of Object.values(disks)) disk.free();
    await removeServer(this.server);
    for (const disk of Object.values(disks)) disk.remove();
    this.folder.remove();
  }
}

const readiness = async () => {
  const { status, body } = await muster.people('GET', '/readyz', { token: '' });
  const { checks } = body as { checks: { name: string; ok: boolean; reason?: string }[] };
  return { status, failed: checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`) };
};

async function gauge(name: string, label: string): Promise<number> {
  const text = (await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8');
  return Number(new RegExp(`^${name}\\{${label}\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

describe.skipIf(!canMount())('a disk that is low', () => {
  beforeAll(async () => {
    muster = await OnSmallDisks.start('disk-low', { MUSTER_DISK_LOW_BYTES: String(LOW_MIB * MIB) });
  });
  afterAll(() => muster?.stop());

  it.each(['database', 'contents'])('of the %s makes the server unready while every write succeeds', async (name) => {
    const disk = disks[name]!;
    const label = `disk="${name}"`;
    expect(await readiness()).toEqual({ status: 200, failed: [] });
    expect(await gauge('muster_disk_free_bytes', label)).toBeGreaterThan(LOW_MIB * MIB);

    disk.fill((LOW_MIB - 16) * MIB);
    const { status, failed } = await readiness();
    expect({ status, failed }).toEqual({
      status: 503,
      failed: [expect.stringMatching(new RegExp(`^storage: \\d+ MiB left for ${name}$`))],
    });
    expect(await gauge('muster_disk_free_bytes', label)).toBeLessThan(LOW_MIB * MIB);
    expect(await gauge('muster_disk_low_bytes', label)).toBe(LOW_MIB * MIB);
    expect(await gauge('muster_ready', 'check="storage"')).toBe(0);
    expect(await gauge('muster_ready', 'check="postgres"')).toBe(1);
    const contentId = await muster.publish(randomBytes(4 * MIB));
    for (let n = 0; n < 5; n += 1) {
      const headers = { 'idempotency-key': randomUUID() };
      const body = { name: `while the ${name} is low`, contents: [contentId] };
      expectStatus(await muster.people('POST', '/v1/campaigns', { body, headers }), 201);
    }
    await muster.createUpload(MIB, `filename ${base64('a.bin')}`);

    disk.free();
    expect(await readiness()).toEqual({ status: 200, failed: [] });
  });
});

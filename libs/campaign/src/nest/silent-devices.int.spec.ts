import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database, PostgresLog } from '#event-log/index.js';
import { type Databases, eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { identityMigrations, type KeptAttributes } from '#identity/nest/identity.module.js';
import { newId } from '#runtime/index.js';
import { Cursors } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import type { TenantBoard } from '../board.js';
import { type CampaignState, noCampaign } from '../campaign.js';
import type { CampaignSettings } from '../events.js';
import { PLAIN_SETTINGS } from '../plain-settings.js';
import { seenView } from '../seen-view.js';
import { takeTokens } from '../wake.js';
import type { FactWriter } from './fact-writer.js';
import type { LiveBoard } from './live-board.js';
import { SilentDevices } from './silent-devices.js';
import { ToldValues } from './told-values.js';
import type { WokenView } from './silent.dto.js';
import { WakeSilent, WakeSilentHandler } from './silent.handler.js';
import type { TargetDoor } from './target-door.js';
import type { WakeTargets } from './wake-targets.js';

/* A channel with more devices than one call looks at, most of which are awake. */

const NOW = Date.parse('2026-12-01T09:00:00.000Z');
const DAY = 86_400_000;
const AWAKE = 10_400;
const SILENT = 700;
const tenant = 'acme';
const campaignId = newId();

let database: TestDatabase;
let actor: Database;
let handler: WakeSilentHandler;
let perMinute = 0;
let bucket = { credit: 0, at: NOW };
let now = NOW;
let woken: string[] = [];
let recorded = 0;
/** Whether the gateway takes it. */
let takes: (deviceId: string) => boolean;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations]);
  actor = database.database('muster_campaign');
  await database.database('muster_projector').transaction(async (tx) => {
    await tx.query('set local search_path = proj');
    for (const statement of seenView.ddl) await tx.query(statement);
  });
  await actor.inTenant(tenant, async (tx) => {
    await tx.query(`insert into ops.tenant values ($1, 'T', now(), 1)`, [tenant]);
    await tx.query(
      `insert into ops.device (tenant, device_id, device_no, channel, status, epoch, enrolled_at, expires_at, version)
       select $1, gen_random_uuid(), n, 'main', 'active', 1, case when n < $2 then $3::timestamptz else $4::timestamptz end, now(), 1
       from generate_series(0, $5::int - 1) as n`,
      [tenant, AWAKE, new Date(NOW), new Date(NOW - 30 * DAY), AWAKE + SILENT],
    );
  });
  const settings: CampaignSettings = {
    ...{ name: 'radio', channel: 'main', contents: [], mode: 'device', selector: 'true' },
    ...{ start: null, end: null, windows: [], waveUpTo: 10_000, holdOut: 0, salt: 's', priority: 500 },
    ...PLAIN_SETTINGS,
  };
  const campaign: CampaignState = { ...noCampaign, status: 'running', settings };
  const board = { campaigns: new Map([[campaignId, campaign]]), contents: new Map() } as unknown as TenantBoard;
  const databases = { actor, insight: database.database('muster_insight') } as Databases;
  const live = { tenant: () => Promise.resolve(board) } as unknown as LiveBoard;
  // Devices that compare by themselves have told nothing: neither log nor what is kept is asked.
  const told = new ToldValues(databases, {} as PostgresLog, {} as KeptAttributes);
  const silent = new SilentDevices(databases, live, told, { now: () => NOW });
  const targets = {
    take: (_: string, __: string, wanted: number) => {
      const { taken, ...left } = takeTokens(bucket, perMinute, wanted, now);
      bucket = left;
      return Promise.resolve({ target: { url: '', secret: '' }, taken });
    },
  } as unknown as WakeTargets;
  const door = {
    post: (_: unknown, body: string) => {
      const { deviceId } = JSON.parse(body) as { deviceId: string };
      woken.push(deviceId);
      return Promise.resolve({ isTaken: takes(deviceId), failure: null });
    },
  } as unknown as TargetDoor;
  const writer = {
    append: (facts: readonly object[]) => {
      recorded += facts.length;
      return Promise.resolve();
    },
  } as unknown as FactWriter;
  handler = new WakeSilentHandler(silent, targets, door, writer, new Cursors(new Uint8Array(32)));
});
afterAll(() => database.drop());
beforeEach(() => {
  perMinute = 100_000;
  now = NOW;
  bucket = { credit: perMinute, at: NOW };
  woken = [];
  recorded = 0;
  takes = () => true;
});

const wake = (cursor?: string, limit = 500): Promise<WokenView> =>
  handler.execute(
    new WakeSilent(
      campaignId,
      { days: 7, limit, ...(cursor === undefined ? {} : { cursor }) },
      { tenant, actor: 'person:p', commandId: newId() },
    ),
  );

/** Calls until there is no more, a minute apart when the rate lets none go. */
async function wakeAll(limit?: number): Promise<number> {
  let calls = 0;
  for (let cursor: string | undefined; ; calls += 1) {
    const { next, isPartial } = await wake(cursor, limit);
    expect(isPartial).toBe(next !== null);
    if (next === null) return calls + 1;
    if (next === cursor) now += 60_000;
    cursor = next;
  }
}

describe('waking the silent devices of a large channel', () => {
  it('goes on behind the devices that one call looks at', async () => {
    const first = await wake();
    expect(first).toMatchObject({ sent: 0, failed: 0, isPartial: true });
    expect(await wake(first.next!)).toMatchObject({ sent: 500, isPartial: true });
  });

  it.each([100, 500, 1_000])('comes to each of them once, %i at a time', async (limit) => {
    await wakeAll(limit);
    expect(woken).toHaveLength(SILENT);
    expect(new Set(woken).size).toBe(SILENT);
    expect(recorded).toBe(SILENT);
  });

  it('comes to each of them once where the rate ends each call, and to those behind one that is not taken', async () => {
    perMinute = 150;
    bucket = { credit: 150, at: NOW };
    takes = (deviceId) => deviceId > '8';
    await wakeAll();
    expect(woken).toHaveLength(SILENT);
    expect(new Set(woken).size).toBe(SILENT);
    expect(recorded).toBe(woken.filter(takes).length);
  });
});

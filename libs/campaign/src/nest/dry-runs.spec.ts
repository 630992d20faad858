import { describe, expect, it } from 'vitest';
import { nextOffset, type MaybeFaulty, PARTITIONS } from '#event-log/index.js';
import { EMPTY_SCHEMA } from '../vocabulary.js';
import type { Replay } from '../dry-run.js';
import { DryRuns } from './dry-runs.js';
import { ReplayedLog } from './replayed-log.js';

const FROM = Date.parse('2026-12-01T00:00:00.000Z');

describe('dry runs', () => {
  it('are made one at a time for a tenant, which keeps no other tenant out, and few at all', async () => {
    const never = new Promise<never>(() => undefined);
    const board = { tenant: async () => ({ campaigns: new Map([['k', { settings: { channel: 'main' } }]]) }) };
    const log = { heads: () => never };
    const runs = new DryRuns(log as never, board as never, {} as never, {} as never, { now: () => FROM });
    void runs.make('a', 'k', 7);
    await turn();
    const busy = { code: 'campaign.dry-run-busy', details: { retryAfterSeconds: 5 } };
    await expect(runs.make('a', 'k', 7)).rejects.toMatchObject(busy);
    let isRefused = false;
    runs.make('b', 'k', 7).catch(() => (isRefused = true));
    await turn();
    expect(isRefused).toBe(false);
    await expect(runs.make('c', 'k', 7)).rejects.toMatchObject(busy);
  });
});

describe('the log that is replayed', () => {
  it('reads what is of the tenant alone, each record once', async () => {
    const { log, replay, known, asked } = logOf([told(-2), told(-1), told(1)]);
    expect(await log(Infinity).into(replay)).toEqual({ cutBy: new Set(), reached: undefined });
    expect(known).toEqual(['d', 'd', 'd']);
    expect(asked.filter(({ limit }) => limit > 1).every(({ tenant }) => tenant === 'a')).toBe(true);
  });

  it('says how far it got when the time was up', async () => {
    const { log, replay, known } = logOf([told(-1), told(1)]);
    expect(await log(0).into(replay)).toEqual({ cutBy: new Set(['time']), reached: FROM });
    expect(known).toEqual([]);
  });
});

/** Minutes after the beginning. */
const told = (minutes: number) => ({
  ...{ tenant: 'a', subject: 'd', type: 'HandsetDescribed', data: { attributes: null, zone: null } },
  receivedAt: new Date(FROM + minutes * 60_000).toISOString(),
});

/** All of it in the first partition. */
function logOf(told: readonly object[]) {
  const records = told.map((record, offset) => ({ ...record, offset }) as unknown as MaybeFaulty);
  const asked: { limit: number; tenant: string | undefined }[] = [];
  const known: string[] = [];
  const source = {
    async readTolerantly(_topic: string, partition: number, from: number, limit: number, tenant?: string) {
      asked.push({ limit, tenant });
      return partition === 0 ? records.slice(from, from + limit) : [];
    },
  };
  const heads = { 'muster.device/0': records.length };
  expect(nextOffset(heads, 'muster.device', PARTITIONS - 1)).toBe(0);
  const fleet = { ids: new Map([[1, 'd']]), kept: new Map(), cutBy: new Set<never>() };
  const around = { tenant: 'a', channel: 'main', schema: EMPTY_SCHEMA, fleet, from: FROM };
  const log = (deadline: number) => new ReplayedLog(source, heads, { ...around, deadline });
  const replay = { known: ({ deviceId }: { deviceId: string }) => known.push(deviceId) } as unknown as Replay;
  return { log, replay, known, asked };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { campaignProjections } from '#campaign/nest/campaign.module.js';
import { Keyring, PostgresLog, type Projection, projection } from '#event-log/index.js';
import { insightProjections } from '#insight/index.js';
import { EMPTY } from '../../../test/support/projection-copies.js';
import { testDatabase } from '../../../test/support/database.js';
import {
  compare,
  type Compared,
  expectEqual,
  type Place,
  report,
  type Script,
  script,
} from '../../../test/support/rebuild-equality.js';
import { catalog, migrations } from './rooms.js';

const RUNS = Number(process.env.MUSTER_PROPERTY_RUNS ?? 2);

/** Counts the events of each stream, and cannot digest a pause: what it parks must be the same in every build. */
const stumbling = projection('stumbling', 1, {
  topics: ['muster.campaign', 'muster.handset'],
  tables: ['p_stumbling_v1'],
  ddl: ['create table p_stumbling_v1 (stream text primary key, events int not null, last text not null)'],
  apply: async (batch, tx) => {
    for (const { stream, type } of batch) {
      await tx.query(
        `insert into p_stumbling_v1 as p values ($1, 1, $2)
         on conflict (stream) do update set events = p.events + 1, last = excluded.last`,
        [stream, type],
      );
      if (type === 'CampaignPaused') await tx.query('select 1 / 0');
    }
  },
});

/** Not allowed: the last event of a tenant is another one when partitions interleave otherwise. */
const byArrival = projection('by_arrival', 1, {
  topics: ['muster.campaign', 'muster.handset'],
  tables: ['p_by_arrival_v1'],
  ddl: ['create table p_by_arrival_v1 (tenant text primary key, last text not null)'],
  apply: async (batch, tx) => {
    for (const { tenant, stream, offset } of batch)
      await tx.query(
        'insert into p_by_arrival_v1 values ($1, $2) on conflict (tenant) do update set last = excluded.last',
        [tenant, `${stream} ${offset}`],
      );
  },
});

/** Not allowed: the log has no batches. */
const byBatch = projection('by_batch', 1, {
  topics: ['muster.campaign', 'muster.handset'],
  tables: ['p_by_batch_v1'],
  ddl: ['create table p_by_batch_v1 (topic text primary key, batches int not null)'],
  apply: async ([first], tx) => {
    await tx.query(
      `insert into p_by_batch_v1 as p values ($1, 1) on conflict (topic) do update set batches = p.batches + 1`,
      [first?.topic],
    );
  },
});

/** An installation of its own for each script: a log, the keys, and the live read models. */
async function place(): Promise<Place> {
  const tables = await testDatabase(migrations);
  const clock = { ms: Date.parse('2026-11-24T08:00:00.000Z'), now: () => clock.ms };
  const kek = randomBytes(32);
  const database = tables.database('muster_campaign');
  const common = async () => ({ events: catalog, clock, keyring: await Keyring.open({ database, kek }) });
  const written = await common();
  const log = new PostgresLog({ database, ...written });
  const tail = tables.database('muster_tail', 8);
  const freshReader = async () => new PostgresLog({ database: tail, ...(await common()) });
  return {
    stage: { log, database, keyring: written.keyring, clock },
    reader: await freshReader(),
    tables,
    end: () => log.heads(),
    freshReader,
    close: () => tables.drop(),
  };
}

async function compared(each: Script, projections: readonly Projection[]) {
  const at = await place();
  try {
    return await compare(each, projections, at, migrations);
  } finally {
    await at.close();
  }
}

const own = [...campaignProjections, ...insightProjections];

describe('read models', () => {
  it(
    'are the same live and in every rebuild, after any script of commands',
    async () => {
      const seed = Number(process.env.MUSTER_PROPERTY_SEED ?? randomBytes(4).readInt32BE());
      const played: Compared[] = [];
      await fc.assert(
        fc.asyncProperty(script(), async (each) => {
          const found = await compared(each, [...own, stumbling]);
          expectEqual(found);
          played.push(found);
        }),
        { numRuns: RUNS, seed, endOnFailure: true }, // a script takes seconds: the seed says enough
      );
      report('rebuild equality', seed, played);
    },
    120_000 + RUNS * 30_000,
  );

  it('are found unlike when one depends on the interleaving or on the batches, and no other is', async () => {
    const [kept] = fc.sample(script(), { seed: 12, numRuns: 1 });
    const { differences, live, labels } = await compared(kept!, [...own, byArrival, byBatch]);
    expect(differences).toContain('another interleaving: p_by_arrival_v1');
    expect(differences).toContain('batches of 1: p_by_batch_v1');
    expect(differences).toContain('batches of 5000: p_by_batch_v1');
    expect(differences.filter((each) => !/p_by_(arrival|batch)_v1$/.test(each))).toEqual([]);
    expect(Object.keys(live).filter((table) => live[table] === EMPTY)).toEqual([]);
    expect(labels.before).toBeGreaterThan(0);
    expect(labels.after).toBe(0);
  }, 180_000);
});

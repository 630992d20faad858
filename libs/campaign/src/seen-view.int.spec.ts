import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database, EventRecord } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { packPolls } from './polls.js';
import { seenView } from './seen-view.js';

const NOW = Date.parse('2026-11-30T12:00:00.000Z');
const MINUTE = 60_000;
const DEVICE = newId();
const iso = (minutes: number): string => new Date(NOW + minutes * MINUTE).toISOString();

let database: TestDatabase;
let projector: Database;
let insight: Database;

beforeAll(async () => {
  database = await testDatabase();
  projector = database.database('muster_projector');
  insight = database.database('muster_insight');
  await projector.transaction(async (tx) => {
    await tx.query('set local search_path = proj');
    for (const statement of seenView.ddl) await tx.query(statement);
  });
});
beforeEach(() => projector.query('truncate proj.p_device_seen_poll_v1, proj.p_device_seen_told_v1'));
afterAll(() => database.drop());

type Fact = Pick<EventRecord, 'type' | 'data' | 'subject' | 'receivedAt' | 'partition' | 'offset'>;
const polls = (...at: number[]): Fact => ({
  type: 'PollsRecorded',
  subject: 'polls',
  ...{ receivedAt: iso(0), partition: 3, offset: 1 },
  data: {
    ...{ partition: 3, channel: 'main' },
    ...packPolls(
      NOW + at[0]! * MINUTE,
      at.map((minutes) => ({
        ...{ deviceNo: 7, at: NOW + minutes * MINUTE, rule: 'timer;v=1' },
        ...{ answer: 'not-modified' as const, digest: 'a1b2c3d4e5f6' },
      })),
    ),
  },
});
const fact = (type: string, minutes: number, offset: number): Fact => ({
  ...{ type, subject: DEVICE, receivedAt: iso(minutes), partition: 3, offset, data: {} },
});
const apply = (...facts: Fact[]): Promise<void> =>
  projector.transaction(async (tx) => {
    await tx.query('set local search_path = proj');
    await seenView.apply(facts.map((each) => ({ tenant: 'acme', ...each })) as EventRecord[], tx);
  });
const seen = (tenant = 'acme') =>
  insight.inTenant(tenant, async (tx) => ({
    polls: await tx.query('select device_no, polled_at from proj.p_device_seen_poll_v1'),
    told: await tx.query('select device_id, asked_at, part, off from proj.p_device_seen_told_v1'),
  }));

describe('the read model of who asked when', () => {
  it('has the latest poll, in whatever order they come', async () => {
    await apply(polls(5, 9), polls(1));
    await apply(polls(2));
    expect((await seen()).polls).toEqual([{ device_no: 7, polled_at: new Date(iso(9)) }]);
  });

  it('has the place of the last telling, and when a device said that it asked', async () => {
    await apply(fact('HandsetDescribed', 1, 10), fact('AvailabilityRequested', 4, 11));
    await apply(fact('AvailabilityRequested', 2, 12), fact('HandsetDescribed', 5, 13), fact('TransferStarted', 9, 14));
    const row = { device_id: DEVICE, asked_at: new Date(iso(4)), part: 3, off: 13 };
    expect((await seen()).told).toEqual([row]);
  });

  it('keeps the place when only a request follows, and shows nothing to another tenant', async () => {
    await apply(fact('HandsetDescribed', 1, 10));
    await apply(fact('AvailabilityRequested', 2, 11));
    expect((await seen()).told).toEqual([{ device_id: DEVICE, asked_at: new Date(iso(2)), part: 3, off: 10 }]);
    expect(await seen('beta')).toEqual({ polls: [], told: [] });
  });
});

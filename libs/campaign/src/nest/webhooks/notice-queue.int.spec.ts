import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Database,
  eventCatalog,
  type EventContext,
  type EventRecord,
  Keyring,
  PostgresLog,
} from '#event-log/index.js';
import { type CommittedLog, type Databases, eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { auditDefinitions } from '#identity/events.js';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../../../test/support/database.js';
import { campaignDefinitions } from '../../events.js';
import { LIFE_MS, type Notice, NOTICE_KINDS, type NoticeKind } from '../../notices.js';
import { Duties } from '../duty.js';
import { CreateCampaign1767200000000 } from '../migrations/create-campaign.js';
import { CreateWebhooks1767200000016 } from '../migrations/create-webhooks.js';
import { NoticeQueue } from './notice-queue.js';
import { WebhookRows } from './webhook-rows.js';

const tenant = 'acme';
const TAKEN = { isTaken: true, failure: null };
const FAILED = { isTaken: false, failure: 'status 500' };

let database: TestDatabase;
let tables: Database;
let rows: WebhookRows;
/** Two instances of the service on one database. */
let queues: NoticeQueue[];
let now = 0;
let offset = 0;
/** What the log has at the moment. */
let heads: Record<string, number> = {};

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, CreateCampaign1767200000000, CreateWebhooks1767200000016]);
  tables = database.database('muster_campaign', 8);
  const databases = { actor: tables } as Databases;
  const keyring = await Keyring.open({ database: tables, kek: new Uint8Array(32) });
  const events = eventCatalog([auditDefinitions, ...campaignDefinitions]);
  const log = new PostgresLog({ database: tables, events, keyring, clock: systemClock });
  const clock = { now: () => now };
  const committed = { heads: () => Promise.resolve(heads) } as unknown as CommittedLog;
  rows = new WebhookRows(databases, keyring, log, committed, clock);
  queues = [1, 2].map(() => new NoticeQueue(databases, new Duties(databases), keyring, clock));
});
afterAll(() => database.drop());
beforeEach(async () => {
  now = Date.parse('2026-12-01T09:00:00.000Z');
  for (const each of [tenant, 'beta'])
    await tables.inTenant(each, async (tx) => {
      await tx.query('delete from ops.webhook_delivery');
      await tx.query('delete from ops.webhook');
    });
});

const context = (of = tenant): EventContext => ({ tenant: of, actor: 'person:p', commandId: newId() });
const webhook = (change: object = {}) => ({
  url: 'https://hooks.example/',
  kinds: NOTICE_KINDS,
  enabled: true,
  ...change,
});
const add = async (change: object = {}, of = tenant): Promise<string> =>
  (await rows.add(context(of), webhook(change))).webhookId;
const event = (of = tenant): EventRecord =>
  ({ id: newId(), tenant: of, topic: 'muster.campaign', partition: 3, offset: (offset += 1) }) as EventRecord;
const noticeOf = ({ id }: EventRecord): Notice => ({
  id,
  type: 'campaign.halted',
  tenant,
  campaignId: newId(),
  at: '2026-12-01T09:00:00.000Z',
});
const put = (record = event(), kind: NoticeKind = 'halted', instance = 0) =>
  queues[instance]!.put(record, kind, noticeOf(record));
const claim = (webhookId: string, instance = 0) => queues[instance]!.claim(tenant, webhookId);
const states = async (webhookId: string) =>
  (await queues[0]!.newest(tenant, webhookId)).map(({ state }) => state).toSorted();

describe('what is queued', () => {
  it('is queued once, however many instances read it, and however often', async () => {
    const webhookId = await add();
    const record = event();
    await Promise.all(Array.from({ length: 10 }, (_, i) => put(record, 'halted', i % 2)));
    expect(await states(webhookId)).toEqual(['waiting']);
  });

  it('is for the webhooks of its tenant that want it and are not turned off', async () => {
    const all = await add();
    const others = [await add({ kinds: ['completed'] }), await add({ enabled: false })];
    const foreign = await add({}, 'beta');
    await put();
    expect(await states(all)).toEqual(['waiting']);
    for (const webhookId of others) expect(await states(webhookId)).toEqual([]);
    expect(await queues[0]!.newest('beta', foreign)).toEqual([]);
  });

  it('is not for a webhook that was added after it had happened', async () => {
    const before = event();
    heads = { 'muster.campaign/3': offset + 1 };
    const webhookId = await add();
    heads = {};
    await put(before);
    expect(await states(webhookId)).toEqual([]);
    await put();
    expect(await states(webhookId)).toEqual(['waiting']);
  });

  it('does not grow without end: beyond a thousand that wait it is given up at once, and shown so', async () => {
    const webhookId = await add();
    await tables.inTenant(tenant, (tx) =>
      tx.query(
        `insert into ops.webhook_delivery (tenant, delivery_id, webhook_id, notice, state, attempts, next_at, queued_at)
         select $1, gen_random_uuid(), $2, '{"id":"x"}', 'waiting', 0, now(), now() - interval '1 minute'
         from generate_series(1, 1000)`,
        [tenant, webhookId],
      ),
    );
    await put();
    expect(await rows.get(tenant, webhookId)).toMatchObject({ waiting: 1_000, givenUp: 1 });
  });

  it('moves the position in no partition back', async () => {
    await queues[0]!.advance({ 'muster.campaign/1': 7, 'muster.campaign/2': 9 });
    await queues[1]!.advance({ 'muster.campaign/1': 8, 'muster.campaign/2': 4 });
    expect(await queues[0]!.position()).toMatchObject({ 'muster.campaign/1': 8, 'muster.campaign/2': 9 });
  });
});

describe('an attempt', () => {
  it('is made by one instance, the oldest first, with the key of the webhook', async () => {
    const { webhookId, secret } = await rows.add(context(), webhook());
    const records = [event(), event()];
    for (const record of records) {
      await put(record);
      now += 1_000;
    }
    const attempts = await Promise.all([claim(webhookId, 0), claim(webhookId, 1), claim(webhookId, 0)]);
    const claimed = attempts.filter((attempt) => attempt !== undefined);
    expect(claimed.map(({ notice }) => notice.id).toSorted()).toEqual(records.map(({ id }) => id).toSorted());
    expect(claimed[0]).toMatchObject({ attempts: 1, target: { url: 'https://hooks.example/', secret } });
  });

  it('that was cut off by a crash comes up again after a while', async () => {
    const webhookId = await add();
    await put();
    const first = await claim(webhookId);
    expect(await claim(webhookId)).toBeUndefined();
    expect(await queues[1]!.due(tenant)).toEqual({ webhooks: [], next: now + 15_000 });
    now += 15_000;
    expect(await queues[1]!.due(tenant)).toEqual({ webhooks: [webhookId], next: null });
    const second = await claim(webhookId, 1);
    expect(second).toMatchObject({ deliveryId: first!.deliveryId, attempts: 2 });
    await queues[1]!.settle(second!, TAKEN, 1);
    await queues[0]!.settle(first!, FAILED, 1); // the first comes to its end late
    expect(await states(webhookId)).toEqual(['delivered']);
  });

  it('that failed is made again later, and the webhook says why it failed', async () => {
    const webhookId = await add();
    await put();
    expect(await queues[0]!.settle((await claim(webhookId))!, FAILED, 1)).toBe(false);
    expect(await rows.get(tenant, webhookId)).toMatchObject({
      lastDeliveredAt: null,
      lastFailure: 'status 500',
      waiting: 1,
      givenUp: 0,
    });
    expect(await claim(webhookId)).toBeUndefined();
    now += 5_000;
    expect(await queues[0]!.settle((await claim(webhookId))!, TAKEN, 1)).toBe(false);
    expect(await rows.get(tenant, webhookId)).toMatchObject({
      lastDeliveredAt: '2026-12-01T09:00:05.000Z',
      lastFailedAt: '2026-12-01T09:00:00.000Z',
      waiting: 0,
    });
  });

  it('is the last one after a day; what has ended can be seen for a week', async () => {
    const webhookId = await add();
    await put();
    now += LIFE_MS;
    expect(await queues[0]!.settle((await claim(webhookId))!, FAILED, 0)).toBe(true);
    expect(await rows.get(tenant, webhookId)).toMatchObject({ waiting: 0, givenUp: 1 });
    now += 7 * LIFE_MS + 1;
    await queues[0]!.due(tenant);
    expect(await states(webhookId)).toEqual([]);
  });

  it('is not made while the webhook is turned off, and what waits there has its day like all others', async () => {
    const webhookId = await add();
    await put();
    await rows.replace(context(), webhookId, webhook({ enabled: false }));
    expect(await claim(webhookId)).toBeUndefined();
    expect(await queues[0]!.due(tenant)).toEqual({ webhooks: [], next: null });
    now += LIFE_MS + 1;
    await queues[0]!.due(tenant);
    expect(await queues[0]!.newest(tenant, webhookId)).toMatchObject([{ state: 'given-up', failure: 'turned off' }]);
  });
});

describe('a webhook', () => {
  it('that is added again by the same command is the same one, with the same key', async () => {
    const again = context();
    const first = await rows.add(again, webhook());
    expect(await rows.add(again, webhook())).toEqual(first);
    expect(await rows.list(tenant)).toHaveLength(1);
  });

  it('is one of ten at most, however many are added at once', async () => {
    const added = await Promise.allSettled(Array.from({ length: 14 }, () => add()));
    expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const refused = added.find((each) => each.status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: 'webhook.too-many' } });
    await add({}, 'beta');
  });

  it('takes with it what was still to be told', async () => {
    const webhookId = await add();
    await put();
    await rows.remove(context(), webhookId);
    const left = await tables.inTenant(tenant, (tx) => tx.query('select 1 from ops.webhook_delivery'));
    expect(left).toEqual([]);
    await expect(rows.remove(context(), webhookId)).rejects.toMatchObject({ code: 'webhook.unknown' });
    await put();
  });

  it.each(['webhook', 'webhook_delivery'])('of another tenant is in no row that is seen: %s', async (table) => {
    await add();
    await put();
    expect(await tables.query(`select * from ops.${table}`)).toEqual([]);
    expect(await tables.inTenant('beta', (tx) => tx.query(`select * from ops.${table}`))).toEqual([]);
    expect(await tables.inTenant('beta', (tx) => tx.query(`delete from ops.${table} returning 1`))).toEqual([]);
    expect(await tables.inTenant(tenant, (tx) => tx.query(`select 1 from ops.${table}`))).toHaveLength(1);
  });
});

import fc from 'fast-check';
import type { Database, EventRecord, Projection, Topic, Tx } from '#event-log/index.js';
import { instant } from '#runtime/index.js';
import type { ObservedEvent } from './views/observed.js';

const BEGIN = Date.parse('2026-11-24T08:00:00.000Z');

/** A log in memory, for the read models' tests: hands out records with dense offsets and growing instants. */
export class TestLog {
  readonly records: EventRecord[] = [];
  private readonly heads = new Map<string, number>();

  constructor(readonly tenant = 'acme') {}

  /** Appends to `partition`; one second later than the record before. */
  add(topic: Topic, subject: string, event: ObservedEvent, partition = 0): EventRecord {
    const key = `${topic}/${partition}`;
    const offset = this.heads.get(key) ?? 0;
    this.heads.set(key, offset + 1);
    const at = instant(BEGIN + this.records.length * 1_000);
    const record: EventRecord = {
      topic,
      partition,
      offset,
      stream: `${this.tenant}/${subject}`,
      version: 0,
      id: `${key}/${offset}`,
      schemaVersion: 1,
      ...event,
      tenant: this.tenant,
      subject,
      actor: 'system:test',
      commandId: 'c',
      correlationId: 'c',
      causationId: null,
      traceparent: null,
      occurredAt: at,
      receivedAt: at,
      sequence: null,
    };
    this.records.push(record);
    return record;
  }
}

/** A build of a read model by hand: tables in a schema of their own, batches in the order given. */
export async function build(
  projector: Database,
  schema: string,
  projection: Projection,
  batches: readonly (readonly EventRecord[])[],
): Promise<void> {
  await projector.transaction(async (tx) => {
    await tx.query(`create schema if not exists ${schema}`);
    await tx.query(`grant usage on schema ${schema} to muster_insight, muster_analytics`);
    await tx.query(`set local search_path = ${schema}`);
    for (const statement of projection.ddl) await tx.query(statement);
    for (const batch of batches) await projection.apply(batch, tx);
  });
}

/** Every row of a build, as text in one order, so that two builds can be compared. */
export function contents(projector: Database, schema: string, projection: Projection): Promise<string[]> {
  return projector.transaction(async (tx) => {
    const rows: string[] = [];
    for (const table of projection.tables) rows.push(...(await rowsOf(tx, `${schema}.${table}`)));
    return rows;
  });
}

async function rowsOf(tx: Tx, table: string): Promise<string[]> {
  const rows = await tx.query<{ row: string }>(`select t::text as row from ${table} t order by 1`);
  return rows.map(({ row }) => `${table.split('.')[1]}${row}`);
}

/** Enrolment of a device in channel `main`. */
export const enrolled = (deviceId: string, deviceNo: number, label: string | null = null): ObservedEvent => ({
  type: 'HandsetEnrolled',
  data: { deviceId, deviceNo, channel: 'main', keyHash: 'f00d', epoch: 1, label, expiresAt: '2027-01-01T00:00:00Z' },
});

/** A draft on channel `main` with one content. */
export const drafted = (campaignId: string, name: string): ObservedEvent => ({
  type: 'CampaignDrafted',
  data: {
    ...{
      campaignId,
      name,
      channel: 'main',
      contents: ['c1'],
      mode: 'device',
      selector: 'true',
      start: null,
      end: null,
    },
    ...{ windows: [], waveUpTo: 10_000, holdOut: 0, salt: 's', priority: 0, by: null, parent: null },
    ...{ waves: [], class: 'normal', stopRules: [], conflictGroup: null },
    caps: { transfers: null, bytesPerSecond: null, bytesPerDay: null },
    timeouts: { transferMinutes: null, confirmMinutes: null },
  },
});

interface PolledBy {
  deviceNo: number;
  digest: string;
  /** Milliseconds after the batch began. */
  afterMs?: number;
  isNews?: boolean;
}

/** A batch of polls by rule `timer`, packed as the log keeps them: number, delta, rule, answer, digest. */
export function pollsRecorded(polls: readonly PolledBy[], from = instant(BEGIN)): ObservedEvent {
  const rows = polls.map(({ deviceNo, digest, afterMs = 0, isNews = false }) => {
    const row = Buffer.alloc(9);
    row.writeUInt32BE(deviceNo, 0);
    row.writeUIntBE(afterMs, 4, 3);
    row.writeUInt8(isNews ? 1 : 0, 8);
    return Buffer.concat([row, Buffer.from(digest, 'hex')]);
  });
  const columns = Buffer.concat(rows).toString('base64');
  const data = { partition: 0, channel: 'main', from, count: polls.length, rules: ['timer;v=1'], columns };
  return { type: 'PollsRecorded', data };
}

/** The records cut into batches of one partition each, the partitions interleaved as `choices` say; no order within one is changed. */
export function interleave(records: readonly EventRecord[], choices: readonly number[]): EventRecord[][] {
  const partitions = new Map<string, EventRecord[]>();
  for (const record of records) {
    const key = `${record.topic}/${record.partition}`;
    partitions.set(key, [...(partitions.get(key) ?? []), record]);
  }
  const waiting = [...partitions.values()];
  const batches: EventRecord[][] = [];
  for (let step = 0; waiting.length > 0; step += 1) {
    const choice = choices[step % choices.length] ?? 0;
    const at = choice % waiting.length;
    const rows = waiting[at] ?? [];
    batches.push(rows.splice(0, 1 + (choice % 5)));
    if (rows.length === 0) waiting.splice(at, 1);
  }
  return batches;
}

const CAMPAIGNS = ['k1', 'k2'];
const DEVICES = ['d1', 'd2', 'd3'];
const DIGESTS = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'];

/** Random stories of a few devices and campaigns; aggregates keep to one partition, batches of polls to none. */
export const story = (): fc.Arbitrary<TestLog> =>
  fc.array(fc.oneof(campaignMoment(), deviceMoment(), pollMoment()), { maxLength: 60 }).map((moments) => {
    const log = new TestLog();
    const forgotten = new Set<string>();
    for (const { topic, subject, event, partition } of moments) {
      log.add(topic, subject, forgotten.has(subject) ? withoutPersonal(event) : event, partition);
      if (event.type === 'SubjectForgotten') forgotten.add(subject);
    }
    return log;
  });

/** What is sealed for a forgotten subject is under a key that nobody keeps: readers never see it. */
const withoutPersonal = (event: ObservedEvent): ObservedEvent =>
  event.type === 'HandsetEnrolled' ? { ...event, data: { ...event.data, label: null } } : event;

interface Moment {
  topic: Topic;
  subject: string;
  event: ObservedEvent;
  partition: number;
}

const campaignMoment = (): fc.Arbitrary<Moment> =>
  fc
    .record({
      index: fc.nat(1),
      digest: fc.constantFrom(...DIGESTS),
      kind: fc.nat(3),
      version: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ index, digest, kind, version }) => {
      const campaignId = CAMPAIGNS[index]!;
      const events: ObservedEvent[] = [
        { type: 'CampaignStarted', data: { campaignId } },
        { type: 'CampaignPaused', data: { campaignId, kind: 'soft', reason: 'r' } },
        { type: 'CampaignCompleted', data: { campaignId, reason: 'r' } },
        { type: 'CataloguePublished', data: { channel: 'main', version, digest, campaigns: [campaignId] } },
      ];
      const subject = kind === 3 ? 'catalogue:main' : campaignId;
      return { topic: 'muster.campaign', subject, event: events[kind]!, partition: kind === 3 ? 2 : index };
    });

const deviceMoment = (): fc.Arbitrary<Moment> =>
  fc
    .record({ index: fc.nat(2), campaign: fc.nat(1), kind: fc.nat(6), version: fc.integer({ min: 1, max: 3 }) })
    .map(({ index, campaign, kind, version: snapshotVersion }) => {
      const deviceId = DEVICES[index]!;
      const offer = { campaignId: CAMPAIGNS[campaign]!, contentId: 'c1' };
      const events: ObservedEvent[] = [
        { type: 'ContentRequested', data: { ...offer, snapshotVersion } },
        { type: 'ContentDeclined', data: { ...offer, reason: 'battery', snapshotVersion } },
        { type: 'OfferWithheld', data: { ...offer, gate: 'wave' } },
        { type: 'TransferCompleted', data: { ...offer, bytes: 1, sha256: 'ab' } },
        { type: 'AvailabilityRequested', data: { rule: 'timer', version: 1, snapshotVersion } },
        enrolled(deviceId, index + 1, 'Ann'),
        { type: 'SubjectForgotten', data: { deviceId, reason: 'asked' } },
      ];
      const topic = kind < 5 ? 'muster.device' : 'muster.handset';
      return { topic, subject: deviceId, event: events[kind]!, partition: index };
    });

const pollMoment = (): fc.Arbitrary<Moment> =>
  fc
    .record({
      polls: fc.array(fc.record({ deviceNo: fc.nat(3), digest: fc.constantFrom(...DIGESTS), afterMs: fc.nat(1_000) }), {
        minLength: 1,
        maxLength: 4,
      }),
      partition: fc.nat(2),
    })
    .map(({ polls, partition }) => ({
      topic: 'muster.device',
      subject: 'polls',
      event: pollsRecorded(polls),
      partition,
    }));

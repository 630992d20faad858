import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Log, newId, silentLog } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../../test/support/kafka.js';
import { eventCatalog, wireType } from '../catalog.js';
import type { EventContext, Fact, Position, Topic } from '../event-log.js';
import { follow, type StandsAt } from '../follow.js';
import { liveSchema } from '../generation.js';
import type { KafkaLog } from '../kafka-log.js';
import { contractDefinitions } from '../log-contract.js';
import { partitionOf } from '../murmur2.js';
import { projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';
import type { KafkaRecord } from './kafka-client.js';
import { encodeRecord } from './kafka-record.js';

const DEVICE = 'muster.device';
const CAMPAIGN = 'muster.campaign';
const by = (tenant = 'acme'): EventContext => ({ tenant, actor: 'system:test', commandId: newId() });
const fact = (subject: string, text: string, n: number): Fact => ({
  subject,
  context: by(),
  event: { type: 'FactNoted', data: { text, secret: `of ${text}` } },
  sequence: { source: subject, epoch: 1, n },
});

/** Counts per stream, with the personal text in plain: enough to see what was applied, and in what order. */
const counted = projection('counted', 1, {
  topics: [CAMPAIGN, DEVICE],
  tables: ['p_counted_v1'],
  ddl: ['create table p_counted_v1 (stream text primary key, events int not null, texts text not null)'],
  apply: async (batch, tx) => {
    for (const { stream, type, data } of batch)
      if (type === 'FactNoted' || type === 'ThingNoted')
        await tx.query(
          `insert into p_counted_v1 as p values ($1, 1, $2)
           on conflict (stream) do update set events = p.events + 1, texts = p.texts || ' ' || excluded.texts`,
          [stream, (data as { text: string }).text],
        );
  },
});

describe.skipIf(!hasKafka())('records that nobody should have written', () => {
  let k: KafkaInstallation;
  let source: KafkaLog;
  let runner: ProjectionRunner;
  const said: Record<string, unknown>[] = [];
  const hear: Log['error'] = (event, fields) => void said.push({ event, ...fields });
  const log: Log = { ...silentLog, warn: hear, error: hear };

  /** One good fact, as it is in Kafka, to spoil. */
  const good = async (subject: string): Promise<KafkaRecord> => {
    const partition = partitionOf(`acme/${subject}`);
    await k.writer.appendFacts(DEVICE, [fact(subject, 'model', 1)]);
    const end = (await k.client.ends([DEVICE])).get(DEVICE)?.[partition] ?? 0;
    const { records } = await k.client.fetch(DEVICE, partition, end - 1, 1_000);
    const [{ key, value, headers }] = records as [(typeof records)[number]];
    return {
      key: String(key),
      value: String(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)])),
    };
  };
  const without = ({ headers, ...rest }: KafkaRecord, name: string): KafkaRecord => ({
    ...rest,
    headers: Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name)),
  });
  const put = async (topic: string, partition: number, record: KafkaRecord) => {
    const end = (await k.client.ends([topic])).get(topic)?.[partition] ?? 0;
    await k.client.send([{ topic, partition, records: [record] }]);
    return end;
  };
  const rows = async () => {
    await runner.whenCaughtUp();
    const all = await k.db
      .database('muster_projector')
      .query<{ stream: string; texts: string }>('select stream, texts from proj.p_counted_v1');
    return Object.fromEntries(all.map(({ stream, texts }) => [stream, texts]));
  };
  const parkedAt = async (partition: number, offset: number) => {
    const [status] = await runner.list();
    return status?.parked.find(
      (each) => each.topic === DEVICE && each.partition === partition && each.fromOffset === offset,
    );
  };

  beforeAll(async () => {
    k = await kafkaInstallation(eventCatalog(contractDefinitions));
    k.relay().start();
    source = await k.freshReader(log);
    const database = k.db.database('muster_projector', 5);
    runner = new ProjectionRunner({ database, source, projections: [counted], log });
    await runner.start();
  });
  afterAll(async () => {
    await runner.stop();
    await k.close();
  });

  const spoilt: [string, string, (record: KafkaRecord) => KafkaRecord][] = [
    ['not JSON', 'record.not-json', (record) => ({ ...record, value: '{"text":' })],
    ['JSON that is no object', 'record.not-json', (record) => ({ ...record, value: '[1]' })],
    ['without tenant', 'record.no-tenant', (record) => without(record, 'ce_tenant')],
    [
      "of another tenant's key",
      'record.foreign-key',
      (record) => ({ ...record, key: record.key.replace('acme', 'umbrella') }),
    ],
    [
      "of another topic's type",
      'record.foreign-type',
      (record) => ({ ...record, headers: { ...record.headers, ce_type: 'muster.audit.x.v1' } }),
    ],
    [
      'over 256 KiB',
      'record.too-large',
      (record) => ({ ...record, value: JSON.stringify({ text: 'x'.repeat(262_144) }) }),
    ],
    ['with a broken id', 'record.header', (record) => ({ ...record, headers: { ...record.headers, ce_id: '1' } })],
    ['without time', 'record.header', (record) => without(record, 'ce_time')],
    [
      'with a broken sequence',
      'record.header',
      (record) => ({ ...record, headers: { ...record.headers, ce_sequence: '-1' } }),
    ],
    ['without any header', 'record.no-tenant', (record) => ({ ...record, headers: {} })],
  ];
  it.each(spoilt)('on muster.device: %s is parked as %s and reported; others go on', async (name, code, spoil) => {
    const subject = `device-${newId()}`;
    const partition = partitionOf(`acme/${subject}`);
    const kafkaOffset = await put(DEVICE, partition, spoil(await good(subject)));
    const neighbour = neighbourOf(subject);
    await k.writer.appendFacts(DEVICE, [fact(neighbour, 'after', 1)]);
    expect(await rows()).toMatchObject({ [`acme/${subject}`]: 'model', [`acme/${neighbour}`]: 'after' });
    expect(said).toContainEqual(
      expect.objectContaining({ event: 'kafka.bad-record', topic: DEVICE, partition, kafkaOffset, code }),
    );
    expect(await parkedAt(partition, kafkaOffset)).toMatchObject({
      partition,
      error: expect.stringContaining(code) as string,
    });
    expect(name.length).toBeGreaterThan(0);
  });

  it('a version of a newer program is parked, and told with its place', async () => {
    const subject = `device-${newId()}`;
    const record = await good(subject);
    const partition = partitionOf(`acme/${subject}`);
    const offset = await put(DEVICE, partition, {
      ...record,
      headers: { ...record.headers, ce_type: `${DEVICE}.fact-noted.v9`, ce_sequence: '2' },
    });
    expect((await rows())[`acme/${subject}`]).toBe('model');
    const cause = { stream: `acme/${subject}`, error: 'log.unknown-version' };
    expect(await parkedAt(partition, offset)).toMatchObject(cause);
    expect(said).toContainEqual(
      expect.objectContaining({ event: 'projection.parked', topic: DEVICE, partition, offset, ...cause }),
    );
  });

  it('a type of a newer program passes by, and is told with its place', async () => {
    const subject = `device-${newId()}`;
    const record = await good(subject);
    const partition = partitionOf(`acme/${subject}`);
    const offset = await put(DEVICE, partition, {
      ...record,
      headers: { ...record.headers, ce_type: `${DEVICE}.fact-sung.v1`, ce_sequence: '2' },
    });
    expect((await rows())[`acme/${subject}`]).toBe('model');
    expect(await parkedAt(partition, offset)).toBeUndefined();
    const place = { topic: DEVICE, partition, offset, type: `${DEVICE}.fact-sung.v1` };
    expect(said).toContainEqual(expect.objectContaining({ event: 'projection.passed-by', ...place }));
  });

  it('a fact that comes again with its number is applied once', async () => {
    const subject = `device-${newId()}`;
    await put(DEVICE, partitionOf(`acme/${subject}`), await good(subject));
    await k.writer.appendFacts(DEVICE, [fact(subject, 'next', 2)]);
    expect((await rows())[`acme/${subject}`]).toBe('model next');
  });

  it('on a relayed topic, one without a log offset is reported and is not of the log', async () => {
    const subject = newId();
    const partition = partitionOf(`acme/${subject}`);
    const kafkaOffset = await put(CAMPAIGN, partition, { key: `acme/${subject}`, value: '{}', headers: {} });
    await k.writer.append(CAMPAIGN, { subject }, [{ type: 'ThingNoted', data: { text: 'true' } }], by());
    await k.relayed();
    expect((await rows())[`acme/${subject}`]).toBe('true');
    expect(said).toContainEqual(
      expect.objectContaining({ topic: CAMPAIGN, partition, kafkaOffset, code: 'record.header' }),
    );
  });

  it('on a relayed topic, an offset that cannot be yet is reported and stops nobody', async () => {
    const subject = newId();
    const partition = partitionOf(`acme/${subject}`);
    const forged = { key: `acme/${subject}`, value: '{}', headers: { 'log-offset': '7777' } };
    const kafkaOffset = await put(CAMPAIGN, partition, forged);
    await k.writer.append(CAMPAIGN, { subject }, [{ type: 'ThingNoted', data: { text: 'true' } }], by());
    await k.relayed();
    expect((await rows())[`acme/${subject}`]).toBe('true');
    expect(said).toContainEqual(
      expect.objectContaining({ topic: CAMPAIGN, partition, kafkaOffset, code: 'record.header' }),
    );
  });

  it('a process manager passes what nobody of ours wrote, and stands still before a version that it does not know', async () => {
    const seen = new Set<string>();
    const standing: StandsAt[] = [];
    const stop = new AbortController();
    const options = { topics: [DEVICE] as const, from: {}, signal: stop.signal };
    const onStanding = (places: readonly StandsAt[]) => void standing.splice(0, 1, ...places);
    const heads = await source.heads([DEVICE]);
    let position: Position = {};
    const following = follow(source, { ...options, onStanding }, async (batch, after) => {
      for (const { type } of batch) seen.add(type);
      position = after;
    });
    const behind = () => Object.entries(heads).filter(([place, next]) => (position[place] ?? 0) < next);
    await vi.waitFor(() => expect([behind().length, standing.length]).toEqual([1, 1]), 20_000);
    stop.abort();
    await following;
    expect(seen).toEqual(new Set(['FactNoted', `${DEVICE}.fact-sung.v1`]));
    const [{ partition, offset } = { partition: -1, offset: -1 }] = standing;
    expect(position[`${DEVICE}/${partition}`]).toBe(offset);
    expect(standing).toEqual([
      expect.objectContaining({ type: `${DEVICE}.fact-noted.v9`, fault: 'log.unknown-version', topic: DEVICE }),
    ]);
  });

  it('all tables dropped and rebuilt from Kafka alone equal the live ones', async () => {
    await runner.whenCaughtUp();
    expect(await runner.verify('counted')).toEqual({ equal: true });
    const before = await rows();
    await runner.stop();
    const projector = k.db.database('muster_projector');
    await projector.query(`drop schema ${await liveSchema(projector, counted)} cascade`);
    const fresh = await k.freshReader();
    runner = new ProjectionRunner({
      database: k.db.database('muster_projector', 5),
      source: fresh,
      projections: [counted],
    });
    await runner.start();
    expect(await rows()).toEqual(before);
    expect(await runner.verify('counted')).toEqual({ equal: true });
  });
});

describe.skipIf(!hasKafka())('records of the log that were damaged on their way into Kafka', () => {
  const topic: Topic = CAMPAIGN;
  const partition = partitionOf('acme/one');
  let k: KafkaInstallation;
  let source: KafkaLog;

  /** What the relay would send, with one record spoilt. */
  const relayed = (logOffset: number, spoil: (record: KafkaRecord) => KafkaRecord = (record) => record) => {
    const now = new Date();
    const event = { type: wireType(topic, 'ThingNoted'), json: `{"text":"${logOffset}"}`, event_id: newId() };
    const context = { tenant: 'acme', actor: 'system:test', command_id: newId(), correlation_id: newId() };
    const none = { causation_id: null, traceparent: null, seq_source: null, seq_epoch: null, seq_n: null };
    const at = { stream: 'acme/one', ver: logOffset + 1, occurred_at: now, received_at: now };
    return spoil(encodeRecord(topic, { ...event, ...context, ...none, ...at }, logOffset));
  };

  beforeAll(async () => {
    k = await kafkaInstallation(eventCatalog(contractDefinitions));
    const records = [relayed(0), relayed(1, (record) => ({ ...record, value: '{"text":' })), relayed(2)];
    await k.client.send([{ topic, partition, records }]);
    source = await k.freshReader();
  });
  afterAll(() => k.close());

  it('are refused to who must have them all, with topic, partition and offset', async () => {
    const place = { topic, partition, offset: 1 };
    const details = { ...place, cause: 'record.not-json' };
    await expect(source.read(topic, partition, 0, 10)).rejects.toMatchObject({ code: 'log.unreadable', details });
    expect(await source.readTolerantly(topic, partition, 0, 10)).toMatchObject([
      { offset: 0, data: { text: '0' } },
      { ...place, stream: 'acme/one', fault: 'record.not-json' },
      { offset: 2, data: { text: '2' } },
    ]);
  });

  it('make a process manager stand still: half of a stream is not acted on', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const standing: StandsAt[] = [];
    const onStanding = (places: readonly StandsAt[]) => {
      standing.push(...places);
      stop.abort();
    };
    await follow(
      source,
      { topics: [topic], from: {}, signal: stop.signal, onStanding },
      async (batch) => void seen.push(...batch.map(({ offset }) => offset)),
    );
    expect(seen).toEqual([0]);
    expect(standing).toMatchObject([{ topic, partition, offset: 1, stream: 'acme/one', fault: 'record.not-json' }]);
  });

  it('park their stream in projections, and hide nothing of others', async () => {
    const database = k.db.database('muster_projector', 5);
    const runner = new ProjectionRunner({ database, source, projections: [counted] });
    await runner.start();
    await runner.whenCaughtUp();
    const [status] = await runner.list();
    await runner.stop();
    const stream = { topic, partition, stream: 'acme/one', fromOffset: 1, events: 2 };
    expect(status?.parked).toEqual([{ ...stream, error: 'record.not-json' }]);
    expect(await database.query('select stream, texts from proj.p_counted_v1')).toEqual([
      { stream: 'acme/one', texts: '0' },
    ]);
  });
});

/** Another device of the same partition. */
function neighbourOf(subject: string): string {
  const wanted = partitionOf(`acme/${subject}`);
  for (;;) {
    const other = `device-${newId()}`;
    if (partitionOf(`acme/${other}`) === wanted) return other;
  }
}

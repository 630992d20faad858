import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Log, newId, silentLog } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../../test/support/kafka.js';
import { eventCatalog } from '../catalog.js';
import type { EventContext, Fact } from '../event-log.js';
import { follow } from '../follow.js';
import type { KafkaLog } from '../kafka-log.js';
import { contractDefinitions } from '../log-contract.js';
import { partitionOf } from '../murmur2.js';
import { projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';
import type { KafkaRecord } from './kafka-client.js';

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
  const log: Log = { ...silentLog, error: (event, fields) => void said.push({ event, ...fields }) };

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
    runner = new ProjectionRunner({ database: k.db.database('muster_projector', 5), source, projections: [counted] });
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

  it('a type of a newer program passes by', async () => {
    const subject = `device-${newId()}`;
    const record = await good(subject);
    const partition = partitionOf(`acme/${subject}`);
    const offset = await put(DEVICE, partition, {
      ...record,
      headers: { ...record.headers, ce_type: `${DEVICE}.fact-sung.v1` },
    });
    expect((await rows())[`acme/${subject}`]).toBe('model');
    expect(await parkedAt(partition, offset)).toBeUndefined();
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

  it('process managers are handed what can be read alone', async () => {
    const seen: string[] = [];
    const stop = new AbortController();
    const heads = await source.heads([DEVICE]);
    await follow(source, { topics: [DEVICE], from: {}, signal: stop.signal }, async (batch, after) => {
      seen.push(...batch.map(({ type }) => type));
      if (Object.entries(heads).every(([place, next]) => (after[place] ?? 0) >= next)) stop.abort();
    });
    expect(new Set(seen)).toEqual(new Set(['FactNoted', `${DEVICE}.fact-sung.v1`]));
  });

  it('all tables dropped and rebuilt from Kafka alone equal the live ones', async () => {
    await runner.whenCaughtUp();
    expect(await runner.verify('counted')).toEqual({ equal: true });
    const before = await rows();
    await runner.stop();
    await k.db
      .database('muster_projector')
      .query('drop table proj.p_counted_v1, proj.checkpoint, proj.seen_sequence, proj.parked');
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

/** Another device of the same partition. */
function neighbourOf(subject: string): string {
  const wanted = partitionOf(`acme/${subject}`);
  for (;;) {
    const other = `device-${newId()}`;
    if (partitionOf(`acme/${other}`) === wanted) return other;
  }
}

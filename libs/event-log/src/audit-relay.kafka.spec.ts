import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../test/support/kafka.js';
import { auditRelay, type RelayCounts } from './audit-relay.js';
import { eventCatalog } from './catalog.js';
import { Database } from './database.js';
import type { EventContext, Topic } from './event-log.js';
import type { Finding } from './finding.js';
import type { KafkaRecord } from './kafka/kafka-client.js';
import { contractDefinitions } from './log-contract.js';
import { partitionOf } from './murmur2.js';

const TOPIC: Topic = 'muster.campaign';
const by = (): EventContext => ({ tenant: 'acme', actor: 'system:test', commandId: newId() });

/* Both logs are equal after repeats are dropped (I3), or the audit names the record: each test spoils a partition of its own. */
describe.skipIf(!hasKafka())('the audit of what is published', () => {
  let k: KafkaInstallation;
  let database: Database;
  const spoilt: string[] = [];

  beforeAll(async () => {
    k = await kafkaInstallation(eventCatalog(contractDefinitions));
    database = new Database(k.db.superuserUrl, { max: 2 });
    k.relay().start();
  });
  afterAll(async () => {
    await database?.end();
    await k?.close();
  });

  const audit = async (): Promise<RelayCounts & { findings: Finding[] }> => {
    const findings: Finding[] = [];
    const report = (finding: Finding) => void findings.push(finding);
    return { ...(await auditRelay({ database, client: k.client, report })), findings };
  };
  /** A stream in a partition that no test before has used, with that many records, published. */
  const published = async (records: number): Promise<{ partition: number; at: string; end: number }> => {
    let subject = newId();
    while (spoilt.includes(String(partitionOf(`acme/${subject}`)))) subject = newId();
    const partition = partitionOf(`acme/${subject}`);
    spoilt.push(String(partition));
    for (let version = 0; version < records; version += 1)
      await k.writer.append(TOPIC, { subject, expectedVersion: version }, [note(String(version))], by());
    await k.relayed();
    return { partition, at: `${TOPIC}/${partition}`, end: records };
  };
  const note = (text: string) => ({ type: 'ThingNoted', data: { text } });
  /** As Kafka gives it back. */
  const recordAt = async (partition: number, kafkaOffset: number): Promise<KafkaRecord> => {
    const [{ key, value, headers }] = (await k.client.fetch(TOPIC, partition, kafkaOffset, 1_000)).records as [
      Awaited<ReturnType<typeof k.client.fetch>>['records'][number],
    ];
    const texts = Object.entries(headers).map(([name, bytes]) => [name, String(bytes)]);
    return { key: String(key), value: String(value), headers: Object.fromEntries(texts) as Record<string, string> };
  };
  const send = (partition: number, ...records: KafkaRecord[]) => k.client.send([{ topic: TOPIC, partition, records }]);
  const numbered = (record: KafkaRecord, logOffset: number): KafkaRecord => ({
    ...record,
    headers: { ...record.headers, 'log-offset': String(logOffset) },
  });
  const found = (findings: readonly Finding[], at: string) =>
    findings
      .filter(({ where }) => where === at || where.startsWith(`${at}/`))
      .map(({ invariant, code, where, kafkaOffset }) => ({ invariant, code, where, kafkaOffset }));
  const I3 = 'I3';

  it('finds nothing where nobody interfered, and counts what came again', async () => {
    const { partition } = await published(3);
    const last = await recordAt(partition, 2);
    await send(partition, last, last);
    expect(await audit()).toEqual({ published: 3, duplicates: 2, pending: 0, findings: [] });
  });

  it('names a record that was produced straight, with an offset or without', async () => {
    const { partition, at, end } = await published(2);
    const { headers, ...rest } = await recordAt(partition, 0);
    const { 'log-offset': _, ...without } = headers;
    await send(partition, numbered({ ...rest, headers }, end), { ...rest, headers: without });
    expect(found((await audit()).findings, at)).toEqual([
      { invariant: I3, code: 'relay.unknown', where: `${at}/2`, kafkaOffset: 2 },
      { invariant: I3, code: 'relay.unknown', where: at, kafkaOffset: 3 },
    ]);
  });

  it('names a repeat that is not what was first', async () => {
    const { partition, at } = await published(2);
    const first = await recordAt(partition, 0);
    await send(
      partition,
      { ...first, value: '{"text":"forged"}' },
      { ...first, headers: { ...first.headers, ce_actor: 'person:forger' } },
      { ...first, headers: { ...first.headers, more: 'than there was' } },
      { ...first, key: 'acme/other' },
    );
    const { findings, duplicates } = await audit();
    expect(found(findings, at)).toEqual(
      [2, 3, 4, 5].map((kafkaOffset) => ({ invariant: I3, code: 'relay.differs', where: `${at}/0`, kafkaOffset })),
    );
    expect(findings.filter(({ where }) => where === `${at}/0`).map(({ message }) => message)).toEqual([
      expect.stringContaining('value'),
      expect.stringContaining('ce_actor'),
      expect.stringContaining('more'),
      expect.stringContaining('key'),
    ]);
    expect(duplicates).toBe(2); // those of the first test
  });

  it('names a record that Postgres has changed or lost since', async () => {
    const { partition, at } = await published(3);
    const change = 'update log.record set data = \'{"text":"other"}\' where topic = $1 and part = $2 and off = 0';
    await database.query(change, [TOPIC, partition]);
    await database.query('delete from log.record where topic = $1 and part = $2 and off = 1', [TOPIC, partition]);
    expect(found((await audit()).findings, at)).toEqual([
      { invariant: I3, code: 'relay.differs', where: `${at}/0`, kafkaOffset: 0 },
      { invariant: I3, code: 'relay.unknown', where: `${at}/1`, kafkaOffset: 1 },
    ]);
  });

  it('names what Kafka lacks: passed over, too late, or acknowledged and gone', async () => {
    await k.close();
    k = await kafkaInstallation(eventCatalog(contractDefinitions));
    await database.end();
    database = new Database(k.db.superuserUrl, { max: 2 });
    const subject = newId();
    const partition = partitionOf(`acme/${subject}`);
    const at = `${TOPIC}/${partition}`;
    for (let version = 0; version < 6; version += 1)
      await k.writer.append(TOPIC, { subject, expectedVersion: version }, [note(String(version))], by());
    const relay = k.relay();
    relay.start();
    await k.relayed();
    await relay.stop();
    const records = await Promise.all([0, 1, 2, 3, 4, 5].map((offset) => recordAt(partition, offset)));

    // Another Kafka with another order, as after a loss.
    const other = await kafkaInstallation(eventCatalog(contractDefinitions));
    try {
      const junk = { ...records[0]!, headers: {} };
      const order = [junk, junk, junk, records[0]!, records[3]!, records[2]!, records[4]!];
      await other.client.send([{ topic: TOPIC, partition, records: order }]);
      const findings: Finding[] = [];
      const report = (finding: Finding) => void findings.push(finding);
      const counts = await auditRelay({ database, client: other.client, report });
      expect(found(findings, at).slice(3)).toEqual([
        { invariant: I3, code: 'relay.order', where: `${at}/2`, kafkaOffset: 5 },
        { invariant: I3, code: 'relay.gap', where: `${at}/1`, kafkaOffset: 4 },
        { invariant: I3, code: 'relay.missing', where: `${at}/5`, kafkaOffset: undefined },
      ]);
      expect(counts).toEqual({ published: 3, duplicates: 0, pending: 1 });
    } finally {
      await other.close();
    }
  });

  it('counts what waits for a relay as pending, and as no breach', async () => {
    const before = await audit();
    await k.writer.append(TOPIC, { subject: newId(), expectedVersion: 0 }, [note('waits'), note('too')], by());
    const after = await audit();
    expect(after.findings).toEqual(before.findings);
    expect(after.pending).toBe(before.pending + 2);
  });
});

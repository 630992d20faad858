import { afterEach, describe, expect, it } from 'vitest';
import { type Log, newId, silentLog, systemClock } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../../test/support/kafka.js';
import { eventCatalog } from '../catalog.js';
import { Database } from '../database.js';
import { type EventContext, PARTITIONS } from '../event-log.js';
import { contractDefinitions } from '../log-contract.js';
import { PostgresLog } from '../postgres-log.js';

const TOPIC = 'muster.campaign';
const catalog = eventCatalog(contractDefinitions);
const by = (tenant = 'acme'): EventContext => ({ tenant, actor: 'system:test', commandId: newId() });
const note = (text: string) => ({ type: 'ThingNoted', data: { text, secret: `of ${text}` } });

describe.skipIf(!hasKafka())('relay', () => {
  let k: KafkaInstallation;
  afterEach(() => k.close());

  const append = async (count: number, from = 0) => {
    for (let i = from; i < from + count; i += 1)
      await k.writer.append(TOPIC, { subject: `s-${i % 7}` }, [note(`${i}`)], by());
  };
  const bothLogs = async () => {
    await k.relayed();
    const fresh = await k.freshReader();
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      expect(await fresh.read(TOPIC, partition, 0, 10_000)).toEqual(await k.postgres.read(TOPIC, partition, 0, 10_000));
    return fresh;
  };
  /** What Kafka holds, duplicates and all. */
  const recordsInKafka = async () => {
    const ends = (await k.client.ends([TOPIC])).get(TOPIC) ?? [];
    return ends.reduce((sum, end) => sum + end, 0);
  };
  const heard = () => {
    const lines: Record<string, unknown>[] = [];
    const note = (event: string, fields = {}) => void lines.push({ event, ...fields });
    const log: Log = { ...silentLog, warn: note, error: note };
    return { log, lines };
  };

  it('two at once make duplicates that no reader sees', async () => {
    k = await kafkaInstallation(catalog);
    await append(40);
    k.relay().start();
    await k.relayed();
    const ends = (await k.client.ends([TOPIC])).get(TOPIC) ?? [];
    for (const [partition, end] of ends.entries()) {
      if (end === 0) continue;
      const { records } = await k.client.fetch(TOPIC, partition, 0, 1_000_000);
      const again = records.map(({ key, value, headers }) => ({
        key: String(key),
        value: String(value),
        headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)])),
      }));
      await k.client.send([{ topic: TOPIC, partition, records: again.slice(Math.floor(again.length / 2)) }]);
    }
    await append(20, 40);
    const fresh = await bothLogs();
    expect(await recordsInKafka()).toBeGreaterThan(60);
    expect(await fresh.heads([TOPIC])).toEqual(await k.postgres.heads([TOPIC]));
  });

  it('one at a time: a second waits for the lock and goes on when the first ends', async () => {
    k = await kafkaInstallation(catalog);
    const started: number[] = [];
    const relays = [1, 2].map((n) => k.relay({ log: { ...silentLog, info: () => void started.push(n) } }));
    for (const relay of relays) relay.start();
    await append(5);
    await k.relayed();
    expect(started).toHaveLength(1);
    await relays[(started[0] ?? 1) - 1]?.stop();
    await append(5, 5);
    await bothLogs();
    expect(started).toHaveLength(2);
  });

  it('refuses with kafka.ahead when Postgres was restored from before, naming topic, partition and offsets', async () => {
    k = await kafkaInstallation(catalog);
    await append(10);
    const before = k.relay();
    before.start();
    await k.relayed();
    await before.stop();
    const [place = '', next = 0] = Object.entries(await k.postgres.heads([TOPIC]))[0] ?? [];
    const partition = Number(place.split('/')[1]);
    await restoreWithout(k, partition, next - 1);
    await expect(k.relay().check()).rejects.toMatchObject({
      code: 'kafka.ahead',
      details: { topic: TOPIC, partition, kafka: next, postgres: next - 1 },
    });
    const { log, lines } = heard();
    const relay = k.relay({ log });
    relay.start();
    await expect.poll(() => relay.refusal?.code).toBe('kafka.ahead');
    expect(lines).toMatchObject([{ event: 'relay.refused' }]);
  });

  it('refuses with kafka.diverged when the restored Postgres has written other events since', async () => {
    k = await kafkaInstallation(catalog);
    await append(10);
    const relay = k.relay();
    relay.start();
    await k.relayed();
    await relay.stop();
    const subject = 's-0';
    const partition = (await k.writer.readStream(TOPIC, 'acme', subject))[0]?.partition ?? -1;
    const next = (await k.postgres.heads([TOPIC]))[`${TOPIC}/${partition}`] ?? 0;
    await restoreWithout(k, partition, next - 1);
    await k.db.owner.inTenant('acme', (tx) =>
      tx.query(
        'update log.stream set ver = (select count(*) from log.record r where r.topic = stream.topic and r.stream = stream.stream)',
      ),
    );
    await k.writer.append(TOPIC, { subject }, [note('another')], by());
    await expect(k.relay().check()).rejects.toMatchObject({
      code: 'kafka.diverged',
      details: { topic: TOPIC, partition, offset: next - 1 },
    });
  });

  it('refuses a Postgres that keeps facts of devices itself', async () => {
    k = await kafkaInstallation(catalog);
    const fact = { subject: 'd', context: by(), event: { type: 'FactNoted', data: { text: 'x' } } };
    const plain = new PostgresLog({
      database: k.db.database('muster_campaign'),
      events: catalog,
      keyring: k.keyring,
      clock: systemClock,
    });
    await plain.appendFacts('muster.device', [fact]);
    await expect(k.relay().check()).rejects.toMatchObject({ code: 'kafka.device-in-postgres' });
  });

  it('sends again what Kafka has lost, and says so', async () => {
    k = await kafkaInstallation(catalog);
    await append(3);
    await k.db.database('muster_tail').query(`insert into log.relay values ($1, 3, 99)`, [TOPIC]);
    const { log, lines } = heard();
    k.relay({ log }).start();
    await bothLogs();
    expect(lines).toMatchObject([
      { event: 'relay.kafka-behind', topic: TOPIC, partition: 3, kafka: 0, acknowledged: 99 },
    ]);
  });

  /** The next records of a stream's partition as the relay would send them, from another hand and with other ids. */
  const forge = async (log: { partition: number; offset: number }[]) => {
    const partition = log[0]?.partition ?? -1;
    const { records } = await k.client.fetch(TOPIC, partition, 0, 1_000_000);
    const [{ key, value, headers }] = records as [(typeof records)[number]];
    const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)]));
    return log.map(({ offset }) => ({
      key: String(key),
      value: String(value),
      headers: { ...texts, ce_id: newId(), 'log-offset': String(offset) },
    }));
  };
  const endOf = async (subject: string) => {
    const records = await k.writer.readStream(TOPIC, 'acme', subject);
    const { partition = -1 } = records[0] ?? {};
    return { partition, offset: (await k.postgres.heads([TOPIC]))[`${TOPIC}/${partition}`] ?? 0 };
  };

  it('refuses with kafka.diverged when somebody else writes the next offset while it runs', async () => {
    k = await kafkaInstallation(catalog);
    await append(7);
    const relay = k.relay();
    relay.start();
    await k.relayed();
    const next = await endOf('s-0');
    await k.client.send([{ topic: TOPIC, partition: next.partition, records: await forge([next]) }]);
    await k.writer.append(TOPIC, { subject: 's-0' }, [note('mine')], by());
    await expect
      .poll(() => relay.refusal, { timeout: 20_000 })
      .toMatchObject({ code: 'kafka.diverged', details: { topic: TOPIC, ...next } });
  });

  it('F23, sends again from a record that Kafka lacks, where readers had stopped', async () => {
    k = await kafkaInstallation(catalog);
    await append(7);
    const before = k.relay();
    before.start();
    await k.relayed();
    await before.stop();
    const next = await endOf('s-0');
    await k.writer.append(TOPIC, { subject: 's-0' }, [note('first'), note('second')], by());
    const [, second] = (await k.postgres.read(TOPIC, next.partition, next.offset, 2)) as [unknown, { id: string }];
    // After a repeat: without one no log offset is beyond Kafka's own, and such a record would be nobody's.
    const [repeat, copy] = await forge([
      { ...next, offset: next.offset - 1 },
      { ...next, offset: next.offset + 1 },
    ]);
    const records = [repeat!, { ...copy!, headers: { ...copy!.headers, ce_id: second.id } }];
    await k.client.send([{ topic: TOPIC, partition: next.partition, records }]);
    const reader = await k.freshReader();
    await expect(reader.read(TOPIC, next.partition, next.offset, 10)).rejects.toMatchObject({
      code: 'log.gap',
      details: { topic: TOPIC, partition: next.partition, missing: next.offset },
    });
    const { log, lines } = heard();
    k.relay({ log }).start();
    await expect.poll(() => lines, { timeout: 20_000 }).toMatchObject([{ event: 'relay.gap', missing: next.offset }]);
    await expect
      .poll(async () => (await reader.read(TOPIC, next.partition, next.offset, 10)).map(({ id }) => id), {
        timeout: 20_000,
      })
      .toEqual((await k.postgres.read(TOPIC, next.partition, next.offset, 10)).map(({ id }) => id));
  });

  it('carries batches that are larger than Kafka takes in one', async () => {
    k = await kafkaInstallation(catalog);
    const large = Array.from({ length: 12 }, (_, i) => note(`${i}${'x'.repeat(100_000)}`));
    await k.writer.append(TOPIC, { subject: 'large' }, large, by());
    k.relay().start();
    await bothLogs();
  });
});

/** What a restore of an older backup leaves: the last records of a partition never happened. */
async function restoreWithout({ db }: KafkaInstallation, partition: number, next: number): Promise<void> {
  const superuser = new Database(db.superuserUrl, { max: 1 });
  await superuser.query('delete from log.record where topic = $1 and part = $2 and off >= $3', [
    TOPIC,
    partition,
    next,
  ]);
  await superuser.query('update log.head set next_off = $3 where topic = $1 and part = $2', [TOPIC, partition, next]);
  await superuser.end();
}

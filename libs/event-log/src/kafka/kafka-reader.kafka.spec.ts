import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../../test/support/kafka.js';
import { eventCatalog } from '../catalog.js';
import { contractDefinitions } from '../log-contract.js';
import { partitionOf } from '../murmur2.js';
import type { FetchedRecord, KafkaRecord } from './kafka-client.js';

const TOPIC = 'muster.campaign';
const PARTITION = partitionOf('acme/s');

/** Shuffled by hand into an empty topic, as no relay would: 0, 1, 1, 0, 3, 2, 3, and 5 without 4. */
describe.skipIf(!hasKafka())('a topic with repeats, out of order and with a gap', () => {
  let k: KafkaInstallation;
  let records: KafkaRecord[];

  const sent = ({ key, value, headers }: FetchedRecord): KafkaRecord => ({
    key: String(key),
    value: String(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)])),
  });
  const put = (...offsets: number[]) =>
    k.client.send([{ topic: TOPIC, partition: PARTITION, records: offsets.map((offset) => records[offset]!) }]);
  const texts = async (from = 0) =>
    (await (await k.freshReader()).read(TOPIC, PARTITION, from, 100)).map(
      ({ data }) => (data as { text: string }).text,
    );

  beforeAll(async () => {
    const source = await kafkaInstallation(eventCatalog(contractDefinitions));
    for (let n = 0; n < 6; n += 1) {
      const event = { type: 'ThingNoted', data: { text: `${n}`, secret: '' } };
      const context = { tenant: 'acme', actor: 'system:test', commandId: newId() };
      await source.writer.append(TOPIC, { subject: 's' }, [event], context);
    }
    source.relay().start();
    await source.relayed();
    records = (await source.client.fetch(TOPIC, PARTITION, 0, 1_000_000)).records.map(sent);
    await source.close();
    k = await kafkaInstallation(eventCatalog(contractDefinitions));
    await put(0, 1, 1, 0, 3, 2, 3, 5);
  });
  afterAll(() => k.close());

  it('is read once each, in the order of the log', async () => expect(await texts()).toEqual(['0', '1', '2', '3']));

  it('gives out nothing from beyond the gap', async () =>
    expect((await k.freshReader()).read(TOPIC, PARTITION, 4, 100)).rejects.toMatchObject({ code: 'log.gap' }));

  it('goes on when what is missing has come', async () => {
    await put(4, 5);
    expect(await texts()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('ends where its furthest record does, although repeats stand behind it', async () => {
    await put(2, 3, 0);
    const heads = await (await k.freshReader()).heads([TOPIC]);
    expect(heads).toEqual({ [`${TOPIC}/${PARTITION}`]: 6 });
  });
});

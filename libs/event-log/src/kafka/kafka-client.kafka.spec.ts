import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { silentLog } from '#runtime/index.js';
import { hasKafka, underPrefix } from '../../../../test/support/kafka.js';
import { TOPICS } from '../event-log.js';
import { type KafkaClient, KafkaError } from './kafka-client.js';
import { checkTopic, settleTopics } from './kafka-topics.js';
import { KafkajsClient } from './kafkajs-client.js';
import { restoreIdleTimer, stopIdleTimer } from './kafkajs-internals.js';

const TOPIC = 'muster.content';
const FIT = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'compression.type': 'producer',
  'unclean.leader.election.enable': 'false',
  'min.insync.replicas': '2',
  'max.message.bytes': '1048588',
};
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe('settings of topics', () => {
  const fit = { partitions: 12, replicas: 3, config: FIT };
  const refusal = (settings: Partial<typeof fit>, brokers = 3) => {
    try {
      checkTopic(TOPIC, { ...fit, ...settings }, brokers);
      return undefined;
    } catch (error) {
      return error instanceof KafkaError
        ? `${error.code} ${String(error.details.setting)} ${String(error.details.topic)}`
        : error;
    }
  };

  it('are taken when nothing can be lost', () => expect(refusal({})).toBeUndefined());
  it.each([
    ['kafka.partition-count partitions', { partitions: 24 }],
    ['kafka.cleanup-policy cleanup.policy', { config: { ...FIT, 'cleanup.policy': 'compact' } }],
    ['kafka.cleanup-policy cleanup.policy', { config: { ...FIT, 'cleanup.policy': 'compact,delete' } }],
    ['kafka.retention retention.ms', { config: { ...FIT, 'retention.ms': '604800000' } }],
    ['kafka.retention retention.bytes', { config: { ...FIT, 'retention.bytes': '1073741824' } }],
    ['kafka.codec compression.type', { config: { ...FIT, 'compression.type': 'zstd' } }],
    [
      'kafka.unclean-election unclean.leader.election.enable',
      { config: { ...FIT, 'unclean.leader.election.enable': 'true' } },
    ],
    ['kafka.message-size max.message.bytes', { config: { ...FIT, 'max.message.bytes': '1000' } }],
    ['kafka.replication replication factor', { replicas: 2 }],
    ['kafka.min-insync min.insync.replicas', { config: { ...FIT, 'min.insync.replicas': '1' } }],
    ['kafka.min-insync min.insync.replicas', { config: { ...FIT, 'min.insync.replicas': '3' } }],
  ])('are refused with %s', (refused, settings) => expect(refusal(settings)).toBe(`${refused} ${TOPIC}`));
  it('of one broker alone need no second copy', () =>
    expect(refusal({ replicas: 1, config: { ...FIT, 'min.insync.replicas': '1' } }, 1)).toBeUndefined());
});

describe.skipIf(!hasKafka())('a closed client', () => {
  const connections = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

  it('keeps no connection, not even for what was under way, and opens none again', async () => {
    const before = connections();
    const client = new KafkajsClient({ brokers: inject('kafka') });
    await client.describe([]);
    // Nobody has made the topic, so that all of them try again and again.
    const record = { key: 'a/b', value: '{}', headers: {} };
    const underWay = [
      ...Array.from({ length: 3 }, () => client.ends(['nowhere'])),
      client.send([{ topic: 'nowhere', partition: 0, records: [record] }]),
    ].map((call) => call.catch((error: unknown) => error));
    await sleep(200);
    await client.close();
    for (const error of await Promise.all(underWay)) expect(error).toMatchObject({ code: 'log.unavailable' });
    await expect(client.ends(['nowhere'])).rejects.toMatchObject({ code: 'log.unavailable' });
    await expect.poll(connections, { timeout: 20_000 }).toBe(before);
  });

  it('keeps none of first reads at once', async () => {
    const prefix = `t${randomBytes(4).toString('hex')}.`;
    const client = underPrefix(new KafkajsClient({ brokers: inject('kafka') }), prefix);
    const before = connections();
    await settleTopics(client, silentLog);
    await Promise.all(Array.from({ length: 4 }, (_, partition) => client.fetch(TOPIC, partition, 0, 1_000)));
    await client.close();
    await expect.poll(connections, { timeout: 20_000 }).toBe(before);
  });
});

describe('a broker that is none', () => {
  it('is away: a send and a read are refused with log.unavailable', async () => {
    const client = new KafkajsClient({ brokers: ['127.0.0.1:9'] });
    closing.push(() => client.close());
    const record = { key: 'k', value: '{}', headers: {} };
    await expect(client.send([{ topic: TOPIC, partition: 0, records: [record] }])).rejects.toMatchObject({
      code: 'log.unavailable',
    });
    await expect(client.ends([TOPIC])).rejects.toMatchObject({ code: 'log.unavailable' });
  });
});

describe.skipIf(!hasKafka())('on a broker,', () => {
  const connect = () => {
    const client = new KafkajsClient({ brokers: inject('kafka') });
    closing.push(() => client.close());
    return client;
  };

  it('topics are made once, by whoever comes first, and refused when another made them unfit', async () => {
    const prefix = `t${randomBytes(4).toString('hex')}.`;
    const clients = [connect(), connect()].map((client) => underPrefix(client, prefix));
    await Promise.all(clients.map((client) => settleTopics(client, silentLog)));
    const [client] = clients as [KafkaClient];
    expect([...(await client.describe(TOPICS)).topics.keys()].toSorted()).toEqual([...TOPICS].toSorted());

    const other = underPrefix(connect(), `x${prefix}`);
    await other.create(['muster.audit'], { partitions: 12, replicas: 1, config: { 'cleanup.policy': 'compact' } });
    await expect(settleTopics(other, silentLog)).rejects.toMatchObject({
      code: 'kafka.cleanup-policy',
      details: { topic: 'muster.audit', setting: 'cleanup.policy', found: 'compact' },
    });
  });

  it('an idle connection sleeps, which it does not without the patch', async () => {
    const client = connect();
    /** Timers armed, and CPU, in a second in which nobody asks for anything. */
    const idle = async () => {
      await client.ends([]); // a connection that has had an answer
      const original = globalThis.setTimeout;
      const cpu = process.cpuUsage();
      let armed = 0;
      globalThis.setTimeout = ((...all: Parameters<typeof setTimeout>) => {
        armed += 1;
        return original(...all);
      }) as typeof setTimeout;
      await sleep(1_000); // of node:timers/promises, which is not counted
      globalThis.setTimeout = original;
      const { user, system } = process.cpuUsage(cpu);
      return { armed, cpuMs: (user + system) / 1_000 };
    };
    restoreIdleTimer();
    const unpatched = await idle();
    stopIdleTimer();
    await idle(); // the timer that was armed last fires once more
    const patched = await idle();
    console.log(JSON.stringify({ figure: 'kafkajs idle connection, timers/s and CPU ms/s', unpatched, patched }));
    expect(unpatched.armed).toBeGreaterThan(50);
    expect(patched.armed).toBeLessThan(10);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TOPICS } from '#event-log/index.js';
import { FaultyInstallation, printTally } from '../support/faulty.js';
import { GivenKafka, isOnKafka, RELAY_LAG } from '../support/given-kafka.js';
import { eventually } from '../support/processes.js';
import { Reporters } from '../support/reporters.js';
import { Writers } from '../support/writers.js';

/*
 * Three brokers, three copies of every topic, two of them in step for an acknowledgement: with one broker killed all goes
 * on; with two killed Kafka acknowledges nothing, and commands are accepted all the same.
 */

const DRAIN_MS = 120_000;
/** `broker.session.timeout.ms` of our brokers: others lead in place of one that was silent for so long. */
const FENCED_AFTER_MS = 3_000;

describe.skipIf(!isOnKafka('three brokers'))('three brokers', () => {
  let kafka: GivenKafka;
  let muster: FaultyInstallation;
  let writers: Writers;
  let reporters: Reporters;

  beforeAll(async () => {
    kafka = await GivenKafka.start(3);
    muster = await FaultyInstallation.start('three-brokers', kafka.settings);
    const contentId = await muster.publish(Buffer.from('content'));
    writers = new Writers(muster, contentId);
    reporters = await Reporters.enrol(muster, 4, contentId);
  });
  afterAll(async () => {
    await muster?.stop();
    await kafka?.remove();
  });

  const lag = async () => (await muster.sql<{ lag: number }>(RELAY_LAG))[0]?.lag ?? 0;
  const drained = () => eventually('the lag has drained', async () => (await lag()) === 0 || undefined, DRAIN_MS);

  it('hold three copies of every topic, of which two must be in step, and elect none that is behind', async () => {
    const { brokers, topics } = await kafka.client.describe(TOPICS);
    expect([brokers, [...topics.keys()].sort()]).toEqual([3, [...TOPICS].sort()]);
    for (const [topic, { replicas, config }] of topics)
      expect([replicas, config['min.insync.replicas'], config['unclean.leader.election.enable']], topic).toEqual([
        3,
        '2',
        'false',
      ]);
    expect(muster.server.process.output()).not.toContain('kafka.few-brokers');
  });

  /** kafkajs 2.2.4 asks a broker once a send: what moves to one that has answered is not sent, and is not missed. */
  it('of which one falls silent: what was to go to it is with those that lead in its place before it is acknowledged', async () => {
    const topic = 'test.batches';
    const partitions = [...Array(12).keys()];
    await kafka.client.create([topic], { partitions: 12, replicas: 3, config: { 'min.insync.replicas': '2' } });
    const send = (value: string) =>
      kafka.client.send(
        partitions.map((partition) => ({ topic, partition, records: [{ key: 'k', value, headers: {} }] })),
      );
    await send('all three there');
    const goOn = kafka.pause(2);
    setTimeout(goOn, FENCED_AFTER_MS + 1_500);
    const landed = await send('one silent');
    const held = (await kafka.recordsOf(topic)).map((records) =>
      records.some(({ value }) => String(value) === 'one silent'),
    );
    expect([held, landed.map(({ partition }) => partition).sort((a, b) => a - b)]).toEqual([
      partitions.map(() => true),
      partitions,
    ]);
  });

  it('of which one is killed: commands, the relay, facts and read models go on', async () => {
    await kafka.kill(2);
    await writers.draft('one away');
    await reporters.reportAll();
    await drained();
    await muster.expectCaughtUp();
    expect(writers.acknowledged).toEqual(['one away']);
    await kafka.start(2);
  });

  it('of which two are killed: no fact is acknowledged, commands are accepted, and all comes back equal', async () => {
    await Promise.all([kafka.kill(1), kafka.kill(3)]);
    const told = reporters.acknowledged.length;
    reporters.refused.clear();
    const stop = reporters.run();
    for (let n = 0; n < 5; n += 1) await writers.draft(`two away ${n}`);
    await eventually('facts are refused', async () => reporters.refused.size > 0 || undefined, DRAIN_MS);
    const [refusals, mostLag] = [[...reporters.refused], await lag()];
    expect([writers.acknowledged.length, reporters.acknowledged.length]).toEqual([6, told]);
    expect(mostLag).toBeGreaterThanOrEqual(5);
    expect(refusals).toEqual([['503 log.unavailable with retry-after', expect.any(Number)]]);
    await Promise.all([kafka.start(1), kafka.start(3)]);
    await eventually('facts are taken', async () => reporters.acknowledged.length > told || undefined, DRAIN_MS);
    await stop();
    await drained();
    await expectEqual(mostLag);
  });

  async function expectEqual(mostLag: number): Promise<void> {
    const commands = await writers.found();
    printTally('three brokers, commands', { acknowledged: writers.acknowledged.length, ...commands, mostLag });
    const facts = await reporters.found(kafka);
    printTally('three brokers, facts', { acknowledged: reporters.acknowledged.length, ...facts });
    expect(commands).toEqual({ recovered: 6, doubled: 0 });
    expect(facts).toMatchObject({ recovered: reporters.acknowledged.length, doubled: 0 });
    await kafka.relayed(muster);
    await muster.expectSound();
  }
});

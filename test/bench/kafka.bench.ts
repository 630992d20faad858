import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll } from 'vitest';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { missing } from '../../deploy/kafka/broker.mjs';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { GivenKafka } from '../support/given-kafka.js';
import { runJob } from './child.js';
import type { Cost } from './figures.js';
import { bench, type Contender } from './harness.js';

const SIZES = [10_000, 30_000, 100_000];
const hasKcat = spawnSync('kcat', ['-V']).status === 0;

if (missing() === undefined) measure();
else console.log(`${missing()}: kafka is not measured`);

function measure(): void {
  let kafka: GivenKafka;
  let database: TestDatabase;
  const prefixOf = (events: number) => `of-${events}.`;
  const job = (kind: string) => (events: number) =>
    runJob('kafka-jobs.mjs', {
      kind,
      events,
      brokers: kafka.brokers,
      prefix: prefixOf(events),
      warmUp: { prefix: prefixOf(SIZES[0]!), events: SIZES[0] },
      urls: {
        muster_campaign: database.url('muster_campaign'),
        muster_projector: database.url('muster_projector'),
      },
    });
  /** Its own count of its time, start and all. */
  const kcat = async (events: number): Promise<Cost> => {
    const line = `kcat -b ${kafka.brokers[0]} -C -t ${prefixOf(events)}muster.device -o beginning -e -q > /dev/null`;
    const { status, stderr } = spawnSync('bash', ['-c', `TIMEFORMAT='%U %S'; time ${line}`], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`kcat ended with ${status}: ${stderr}`);
    return { count: events, seconds: secondsOf(stderr) };
  };

  beforeAll(async () => {
    kafka = await GivenKafka.start();
    database = await testDatabase(eventLogMigrations);
    for (const events of SIZES) await job('fill')(events);
  }, 600_000);
  afterAll(async () => {
    await kafka.remove();
    await database.drop();
  });

  const reference: Contender[] = hasKcat ? [{ name: 'kcat', run: kcat }] : [];
  bench({
    name: 'kafka',
    load: 'numbered facts of devices with some 15 headers, 12 partitions, one broker; ours as projections get them, 500 a read; the others by groups of their own',
    unit: 'record',
    clock: 'cpu',
    sizes: { of: 'records', values: SIZES },
    contenders: [
      { name: 'our reader', run: job('reader') },
      { name: 'bare eachBatch', run: job('bare') },
      { name: 'eachBatch that parses', run: job('parsing') },
      ...reference,
    ],
    goals: [
      { of: 'our reader', against: 'bare eachBatch', runsAtLeast: 0.8 },
      { of: 'our reader', against: 'eachBatch that parses', runsAtLeast: 0.8 },
    ],
    notes: [
      'At 100 000 records 0.64 to 0.8 of a loop that does nothing with a record, and 0.8 to 0.84 of one that parses it, which a reader has to: what is over it is the check of each envelope, the order of offsets and, behind the end of a partition, the question where it ends. Next: headers read without an object a record.',
    ],
  });
}

/** From the last line, which bash adds to what kcat says. */
function secondsOf(said: string): number {
  const [, user, system] = /^(\d+\.\d+) (\d+\.\d+)$/.exec(said.trim().split('\n').at(-1)!) ?? [];
  if (user === undefined) throw new Error(`no time of kcat in ${JSON.stringify(said)}`);
  return Number(user) + Number(system);
}

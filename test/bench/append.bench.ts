import { afterAll, beforeAll } from 'vitest';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { runJob } from './child.js';
import { bench } from './harness.js';

let database: TestDatabase;
/** Offsets of the bare table, which has the log's primary key. */
let from = 0;

beforeAll(async () => {
  database = await testDatabase(eventLogMigrations);
  await database.owner.query('create table ops.bench_record (like log.record, primary key (topic, part, off))');
  await database.owner.query('grant insert on ops.bench_record to muster_campaign');
});
afterAll(() => database.drop());

const urls = () =>
  Object.fromEntries(
    ['muster_campaign', 'muster_projector'].map((role) => [role, database.url(role as 'muster_campaign')]),
  );
const job = (kind: string, count: (size: number) => number) => async (group: number) => {
  from += 1_000_000;
  return runJob('append-jobs.mjs', { kind, urls: urls(), group, count: count(group), from });
};
/** Enough groups for their time to be more than the clock's steps. */
const facts = (group: number) => Math.max(10_000, group * 20);

bench({
  name: 'append-commands',
  load: 'events of commands, one a commit, each in a stream of its own, one after the other; 12 partitions',
  unit: 'event',
  clock: 'cpu',
  sizes: { of: 'commands', values: [500, 2_000, 8_000] },
  contenders: [
    { name: 'append', run: job('command', Number) },
    { name: 'bare insert of a row', run: job('row', Number) },
  ],
  goals: [],
});

bench({
  name: 'append-facts',
  load: 'numbered facts of devices, as campaign writes them, a group a commit, one group after the other; 12 partitions, onto what the rounds before have left',
  unit: 'fact',
  clock: 'cpu',
  sizes: { of: 'facts a group', values: [10, 100, 1_000] },
  contenders: [
    { name: 'appendFacts', run: job('facts', facts) },
    { name: 'bare unnest', run: job('unnest', facts) },
  ],
  goals: [{ of: 'appendFacts', against: 'bare unnest', runsAtLeast: 0.5 }],
  notes: [
    'Around the goal, over or under it from one run to another, but for ten facts a group, which are at 0.35 to 0.5: four messages a transaction stand beside one. Next: the tenant is set with begin already; begin and the append in one message would save another.',
  ],
});

import {
  type Database,
  type EventLog,
  type Migration,
  type Position,
  type Projection,
  ProjectionRunner,
  TOPICS,
} from '#event-log/index.js';
import { testDatabase } from './database.js';

/** md5 of each table's rows by its name, and what is parked by the projection's. */
export type Digests = Readonly<Record<string, string>>;

/** The digest of a table without rows. */
export const EMPTY = 'empty';

/** How a copy is read from the log: in portions of a size, or in an order and in portions that `choices` say. */
export interface Reading {
  batchSize?: number;
  choices?: readonly number[];
}

/** The digests of the projections built from the log's beginning in a database of their own. */
export async function digestsOfCopy(
  migrations: readonly Migration[],
  log: EventLog,
  projections: readonly Projection[],
  { batchSize, choices }: Reading,
): Promise<Digests> {
  const db = await testDatabase(migrations);
  try {
    const database = db.database('muster_projector', projections.length + 6);
    const until = await log.heads();
    const built = projections.map(async (projection) => {
      const source = choices === undefined ? log : shuffled(log, until, choices);
      const runner = new ProjectionRunner({ database, source, projections: [projection], batchSize });
      await runner.start();
      await runner.whenCaughtUp(until).finally(() => runner.stop());
      return digestsOf(runner, database, [projection]);
    });
    return Object.assign({}, ...(await Promise.all(built))) as Digests;
  } finally {
    await db.drop();
  }
}

export async function digestsOf(
  runner: ProjectionRunner,
  database: Database,
  projections: readonly Projection[],
): Promise<Digests> {
  const parked = (await runner.list()).map(({ name, parked: streams }) => [name, JSON.stringify(streams)]);
  const digests: [string, string][] = [];
  for (const table of projections.flatMap(({ tables }) => tables)) {
    const [row] = await database.query<{ digest: string }>(
      `select md5(string_agg(t::text, e'\n' order by t::text collate "C")) as digest from proj.${table} t`,
    );
    digests.push([table, row?.digest ?? EMPTY]);
  }
  return Object.fromEntries([...parked, ...digests]) as Digests;
}

/** How many rows of the live tables hold the text. */
export async function rowsWith(database: Database, projections: readonly Projection[], text: string): Promise<number> {
  let found = 0;
  for (const table of projections.flatMap(({ tables }) => tables)) {
    const [row] = await database.query<{ n: number }>(
      `select count(*)::int as n from proj.${table} t where strpos(t::text, $1) > 0`,
      [text],
    );
    found += row?.n ?? 0;
  }
  return found;
}

const LONGEST_PORTION = 7;

/**
 * The log as it may come to another reader: each look at its heads shows some more records of one partition, by the
 * choices. The order within a partition is the log's.
 */
function shuffled(log: EventLog, until: Position, choices: readonly number[]): EventLog {
  const shown: Record<string, number> = {};
  let taken = 0;
  const choose = (below: number) => choices[taken++ % choices.length]! % below;
  const showMore = (topics: readonly string[]) => {
    const waiting = Object.entries(until).filter(
      ([place, end]) => (shown[place] ?? 0) < end && topics.some((topic) => place.startsWith(`${topic}/`)),
    );
    const [place, end] = waiting[choose(waiting.length)] ?? [];
    if (place !== undefined && end !== undefined)
      shown[place] = Math.min(end, (shown[place] ?? 0) + 1 + choose(LONGEST_PORTION));
    return waiting.length > 0;
  };
  let isMore = true;
  return {
    append: (...all) => log.append(...all),
    appendFacts: (...all) => log.appendFacts(...all),
    readStream: (...all) => log.readStream(...all),
    read: (...all) => log.read(...all),
    readTolerantly: (topic, partition, from, limit) =>
      log.readTolerantly(topic, partition, from, Math.min(limit, (shown[`${topic}/${partition}`] ?? 0) - from)),
    heads: (topics = TOPICS) => {
      isMore = showMore(topics);
      return Promise.resolve({ ...shown });
    },
    waitForAppend: (...all) => (isMore ? Promise.resolve() : log.waitForAppend(...all)),
  };
}

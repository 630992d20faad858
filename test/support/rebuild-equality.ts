import fc from 'fast-check';
import { expect } from 'vitest';
import {
  type Database,
  type EventLog,
  type Migration,
  PARTITIONS,
  type Position,
  type Projection,
  projection,
  ProjectionRunner,
  type Sequence,
} from '#event-log/index.js';
import { prologue, type Step, step } from './command-script.js';
import type { TestDatabase } from './database.js';
import { type Digests, digestsOf, digestsOfCopy, type Reading, rowsWith } from './projection-copies.js';
import { LABEL } from './script-commands.js';
import { ScriptPlayer, type Stage } from './script-player.js';

/** What happens to the log, and meanwhile to its live reader: a new process with batches of another size, a rebuild. */
export type Turn =
  | Step
  | { kind: 'restart'; batchSize: number }
  | { kind: 'rebuild'; which: number }
  | { kind: 'duplicate'; which: number };

export interface Script {
  turns: readonly Turn[];
  /** Of a reader that finds the partitions interleaved otherwise. */
  choices: readonly number[];
}

/** @param more what can happen to one kind of log alone */
export const script = (more: readonly fc.Arbitrary<Turn>[] = []): fc.Arbitrary<Script> => {
  const restart = fc.record({ kind: fc.constant('restart' as const), batchSize: fc.integer({ min: 1, max: 12 }) });
  const rebuild = fc.record({ kind: fc.constant('rebuild' as const), which: fc.nat(9) });
  const turn = fc.oneof<fc.WeightedArbitrary<Turn>[]>(
    { weight: 12, arbitrary: step() },
    { weight: 1, arbitrary: restart },
    { weight: 1, arbitrary: rebuild },
    ...more.map((arbitrary) => ({ weight: 2, arbitrary })),
  );
  const size = { minLength: 20, maxLength: 60 };
  return fc.record({
    turns: fc.array(turn, { ...size, size: 'max' }),
    choices: fc.array(fc.nat(9_999), { ...size, size: 'max' }),
  });
};

/** One log with who writes to it and who reads it, and a database where its read models live. */
export interface Place {
  stage: Stage;
  reader: EventLog;
  tables: TestDatabase;
  /** Puts some of what the log holds into it again, where a log can hold a record twice. */
  duplicate?(which: number): Promise<void>;
  /** Where the log ends, once readers see all of it. */
  end(): Promise<Position>;
  /** A reader that remembers nothing, destroyed keys least of all. */
  freshReader(): Promise<EventLog>;
  close(): Promise<void>;
}

export interface Compared {
  /** `way of building: table`, for each that is unlike live. */
  differences: readonly string[];
  /** What stands in the live tables. */
  live: Digests;
  /** Events and refusals by name. */
  counts: ReadonlyMap<string, number>;
  /** Rows that held a label of a device before it was forgotten, and those that hold one still. */
  labels: { before: number; after: number };
  /** Facts applied live, and those that should be. */
  facts: { applied: number; once: number };
}

/** Counts the facts about each device as they are applied: a repeat must not be. */
const tally = projection('tally', 1, {
  topics: ['muster.device'],
  tables: ['p_tally_v1'],
  ddl: ['create table p_tally_v1 (stream text, type text, facts int not null, primary key (stream, type))'],
  apply: async (batch, tx) => {
    for (const { stream, type } of batch)
      await tx.query(
        'insert into p_tally_v1 as p values ($1, $2, 1) on conflict (stream, type) do update set facts = p.facts + 1',
        [stream, type],
      );
  },
});

/** The facts that are no repeats, by a fold as simple as the rule: a source's numbers only grow in a partition. */
async function factsToldOnce(log: EventLog): Promise<number> {
  let once = 0;
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const last = new Map<string, Sequence>();
    for (const { tenant, sequence } of await log.read('muster.device', partition, 0, 100_000)) {
      if (sequence === null) throw new Error('a script numbers all facts');
      const source = `${tenant}/${sequence.source}`;
      const { epoch, n } = last.get(source) ?? { epoch: 0, n: 0 };
      if (sequence.epoch < epoch || (sequence.epoch === epoch && sequence.n <= n)) continue;
      last.set(source, sequence);
      once += 1;
    }
  }
  return once;
}

/** Plays a script while the projections run live, then builds them in every other way. */
export async function compare(
  { turns, choices }: Script,
  under: readonly Projection[],
  place: Place,
  migrations: readonly Migration[],
): Promise<Compared> {
  const projections = [...under, tally];
  const live = new Live(place, projections);
  try {
    await live.start();
    for (const turn of [...prologue, ...turns]) await live.take(turn);
    await live.settled();
    const before = await live.rowsWith([LABEL]);
    for (const tenant of [0, 1])
      await live.take({ kind: 'handset', command: 'ForgetHandset', tenant, device: 0, twist: 0 });
    await live.settled();
    const expected = await live.digests();
    const differences: string[] = [];
    for (const [way, reading] of Object.entries(waysOf(choices))) {
      const copy = await digestsOfCopy(migrations, await place.freshReader(), projections, reading);
      differences.push(...unlike(expected, copy).map((name) => `${way}: ${name}`));
    }
    await live.rebuildAll();
    differences.push(...unlike(expected, await live.digests()).map((name) => `rebuild: ${name}`));
    const after = await live.rowsWith(live.player.forgotten);
    const facts = { applied: await live.factsApplied(), once: await factsToldOnce(await place.freshReader()) };
    return { differences, live: expected, counts: live.player.counts, labels: { before, after }, facts };
  } finally {
    await live.stop();
  }
}

/** One line of what random scripts were played, so that they can be played again. */
export function report(name: string, seed: number, played: readonly Compared[]): void {
  const happened = played.flatMap(({ counts }) => [...counts]);
  const events = happened.filter(([each]) => !each.includes('.')).reduce((sum, [, n]) => sum + n, 0);
  const refused = happened.filter(([each]) => each.includes('.')).reduce((sum, [, n]) => sum + n, 0);
  console.log(`${name}: ${played.length} scripts, ${events} events, ${refused} commands refused, seed ${seed}`);
}

const waysOf = (choices: readonly number[]): Readonly<Record<string, Reading>> => ({
  'batches of 1': { batchSize: 1 },
  'batches of 5000': { batchSize: 5_000 },
  'another interleaving': { choices },
});

/** What a script comes to when nothing is wrong. */
export function expectEqual({ differences, labels, facts }: Compared): void {
  expect({ differences, labelsLeft: labels.after, facts: facts.applied }).toEqual({
    differences: [],
    labelsLeft: 0,
    facts: facts.once,
  });
}

const unlike = (expected: Digests, found: Digests): string[] =>
  Object.keys(expected).filter((name) => expected[name] !== found[name]);

/** The live side. */
class Live {
  readonly player: ScriptPlayer;
  private runner: ProjectionRunner;
  private readonly database: Database;
  private readonly rebuilds: Promise<void>[] = [];

  constructor(
    private readonly place: Place,
    private readonly projections: readonly Projection[],
  ) {
    this.player = new ScriptPlayer(place.stage);
    this.database = place.tables.database('muster_projector', projections.length + 6);
    this.runner = this.runnerOf(5);
  }

  async take(turn: Turn): Promise<void> {
    if (turn.kind === 'duplicate') await this.place.duplicate?.(turn.which);
    else if (turn.kind === 'rebuild') this.rebuild(this.projections[turn.which % this.projections.length]!);
    else if (turn.kind === 'restart') {
      await this.runner.stop();
      this.runner = this.runnerOf(turn.batchSize);
      await this.runner.start();
    } else await this.player.play(turn);
  }

  start(): Promise<void> {
    return this.runner.start();
  }

  /** Waits for the rebuilds under way, and until all is applied. */
  async settled(): Promise<void> {
    await Promise.all(this.rebuilds);
    await this.runner.whenCaughtUp(await this.place.end());
  }

  async rebuildAll(): Promise<void> {
    for (const { name } of this.projections) await this.runner.rebuild(name);
  }

  digests(): Promise<Digests> {
    return digestsOf(this.runner, this.database, this.projections);
  }

  async rowsWith(texts: Iterable<string>): Promise<number> {
    let found = 0;
    for (const text of texts) found += await rowsWith(this.database, this.projections, text);
    return found;
  }

  async factsApplied(): Promise<number> {
    const [row] = await this.database.query<{ n: number }>('select sum(facts)::int as n from proj.p_tally_v1');
    return row?.n ?? 0;
  }

  stop(): Promise<void> {
    return this.runner.stop();
  }

  /** Goes on while what follows is played. */
  private rebuild({ name }: Projection): void {
    const rebuild = this.runner.rebuild(name);
    rebuild.catch(() => undefined); // `settled` throws it
    this.rebuilds.push(rebuild);
  }

  private runnerOf(batchSize: number): ProjectionRunner {
    return new ProjectionRunner({
      database: this.database,
      source: this.place.reader,
      projections: this.projections,
      batchSize,
    });
  }
}

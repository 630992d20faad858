import fc from 'fast-check';
import {
  type Database,
  type EventLog,
  type Migration,
  type Position,
  type Projection,
  ProjectionRunner,
} from '#event-log/index.js';
import { prologue, type Step, step } from './command-script.js';
import type { TestDatabase } from './database.js';
import { type Digests, digestsOf, digestsOfCopy, type Reading, rowsWith } from './projection-copies.js';
import { LABEL } from './script-commands.js';
import { ScriptPlayer, type Stage } from './script-player.js';

/** What happens to the log, and meanwhile to its live reader: a new process with batches of another size, a rebuild. */
export type Turn = Step | { kind: 'restart'; batchSize: number } | { kind: 'rebuild'; which: number };

export interface Script {
  turns: readonly Turn[];
  /** Of a reader that finds the partitions interleaved otherwise. */
  choices: readonly number[];
}

export const script = (): fc.Arbitrary<Script> => {
  const restart = fc.record({ kind: fc.constant('restart' as const), batchSize: fc.integer({ min: 1, max: 12 }) });
  const rebuild = fc.record({ kind: fc.constant('rebuild' as const), which: fc.nat(9) });
  const turn = fc.oneof(
    { weight: 12, arbitrary: step() },
    { weight: 1, arbitrary: restart },
    { weight: 1, arbitrary: rebuild },
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
}

/** Plays a script while the projections run live, then builds them in every other way. */
export async function compare(
  { turns, choices }: Script,
  projections: readonly Projection[],
  place: Place,
  migrations: readonly Migration[],
): Promise<Compared> {
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
    return { differences, live: expected, counts: live.player.counts, labels: { before, after } };
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
    if (turn.kind === 'rebuild') this.rebuild(this.projections[turn.which % this.projections.length]!);
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

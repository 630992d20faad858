import { appendFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { expect, it } from 'vitest';
import { type Cost, type Goal, judge, type Least, leastOf, type Measured, slopeOf, type Verdict } from './figures.js';

/** One way of doing the work; one of them at least is a baseline, in the same run. */
export interface Contender {
  name: string;
  /** Does the load once, after a warm-up of its own. */
  run(size: number): Promise<Cost>;
}

export interface Bench {
  name: string;
  /** What is done, in what numbers, and what is held fixed; for the reader of the table. */
  load: string;
  /** One operation. */
  unit: string;
  clock: 'cpu' | 'wall';
  sizes: { of: string; values: readonly number[] };
  contenders: readonly Contender[];
  goals: readonly Goal[];
  /** By contender: the slope that would be an alarm. */
  slopesBelow?: Readonly<Record<string, number>>;
  /** Said below the table: why a goal is not met, and what is next; a function is asked once all is measured. */
  notes?: readonly string[] | (() => readonly string[]);
}

/** Interleaved, so that what disturbs the machine disturbs all. */
const ROUNDS = Number(process.env.MUSTER_BENCH_ROUNDS ?? 5);

/**
 * Measures, prints one JSON line a figure, and leaves what `npm run bench` makes its table of. A goal that is not met does not
 * fail: machines are shared. What fails is a load that was not done.
 */
export function bench(spec: Bench): void {
  it(`${spec.name}: ${spec.load}`, async () => {
    expect(spec.sizes.values.length).toBeGreaterThanOrEqual(3);
    const load = loadavg()[0]!;
    const least = leastOf(await measure(spec));
    const slopes = [...least].map(([contender, sizes]) => ({
      contender,
      slope: slopeOf(sizes),
      below: spec.slopesBelow?.[contender],
    }));
    const verdicts = judge(least, spec.goals);
    say(spec, { least, slopes, verdicts, load });
  });
}

async function measure({ contenders, sizes }: Bench): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    for (const size of sizes.values)
      for (const { name, run } of contenders) {
        const cost = await run(size);
        expect(cost.count, `${name}, ${size}`).toBeGreaterThan(0);
        measured.push({ contender: name, size, cost });
      }
  return measured;
}

interface Slope {
  contender: string;
  /** Of the cost of one operation, on the size. */
  slope: number;
  below?: number;
}

interface Outcome {
  least: Least;
  slopes: readonly Slope[];
  verdicts: readonly Verdict[];
  load: number;
}

function say(spec: Bench, { least, slopes, verdicts, load }: Outcome): void {
  const { name, load: what, unit, clock, sizes } = spec;
  const notes = typeof spec.notes === 'function' ? spec.notes() : (spec.notes ?? []);
  const lines: object[] = [];
  for (const [contender, costs] of least)
    for (const [size, micros] of costs)
      lines.push({ bench: name, figure: 'cost', contender, size, of: sizes.of, unit, clock, micros: rounded(micros) });
  for (const slope of slopes) lines.push({ bench: name, figure: 'slope', ...slope, slope: rounded(slope.slope) });
  for (const verdict of verdicts)
    lines.push({ bench: name, figure: 'ratio', ...verdict, ratio: rounded(verdict.ratio) });
  const about = { bench: name, figure: 'about', load: what, notes, rounds: ROUNDS, loadAverage: rounded(load) };
  const text = [about, ...lines].map((line) => JSON.stringify(line)).join('\n');
  console.log(text);
  if (process.env.MUSTER_BENCH_FILE !== undefined) appendFileSync(process.env.MUSTER_BENCH_FILE, `${text}\n`);
}

/** Three digits say more than a shared machine can hold. */
const rounded = (value: number): number => Number(value.toPrecision(3));

/** What one run of a load cost. */
export interface Cost {
  /** Operations that were done. */
  count: number;
  /** Of the clock that the bench states: CPU of the measured processes, or the wall. */
  seconds: number;
}

export interface Goal {
  of: string;
  against: string;
  /** Of the cost of one operation: 1.8 is at most 1.8 times the baseline's. */
  costsAtMost?: number;
  /** Of the rate: 0.5 is at least half of the baseline's operations a second. */
  runsAtLeast?: number;
  /** From these sizes on; everywhere, if not given. */
  fromSize?: number;
}

export interface Verdict extends Goal {
  size: number;
  ratio: number;
  isMet: boolean;
}

/** Microseconds an operation, by contender and then by size; the least of all rounds, which noise can only raise. */
export type Least = ReadonlyMap<string, ReadonlyMap<number, number>>;

export interface Measured {
  contender: string;
  size: number;
  cost: Cost;
}

export function leastOf(measured: readonly Measured[]): Least {
  const least = new Map<string, Map<number, number>>();
  for (const { contender, size, cost } of measured) {
    const sizes = least.get(contender) ?? new Map<number, number>();
    least.set(contender, sizes.set(size, Math.min(sizes.get(size) ?? Infinity, micros(cost))));
  }
  return least;
}

const micros = ({ count, seconds }: Cost): number => (seconds * 1e6) / count;

/** How the cost of one operation grows: the slope of the logarithm of the cost on that of the size, by least squares. */
export function slopeOf(sizes: ReadonlyMap<number, number>): number {
  const points = [...sizes].map(([size, cost]) => [Math.log(size), Math.log(cost)] as const);
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const along = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return along / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

/** Each goal at each size that both have. */
export const judge = (least: Least, goals: readonly Goal[]): Verdict[] =>
  goals.flatMap((goal) => {
    const [own, base] = [least.get(goal.of), least.get(goal.against)];
    if (own === undefined || base === undefined) throw new Error(`no such contender: ${goal.of} or ${goal.against}`);
    return [...own].flatMap(([size, cost]) => {
      const baseline = base.get(size);
      if (baseline === undefined || size < (goal.fromSize ?? 0)) return [];
      const ratio = goal.costsAtMost === undefined ? baseline / cost : cost / baseline;
      const isMet = goal.costsAtMost === undefined ? ratio >= (goal.runsAtLeast ?? 0) : ratio <= goal.costsAtMost;
      return [{ ...goal, size, ratio, isMet }];
    });
  });

import { responded, type Tally } from './outcomes.js';

/** Which outcomes a rule counts; `lost` is all that are neither confirmed nor declined. */
export const STOPS = ['failed', 'declined', 'timed-out', 'silent', 'lost'] as const;

/** What of a campaign's outcomes halts it. */
export interface StopRule {
  on: (typeof STOPS)[number];
  /** Share of those with an outcome that is too much: 0 (the first halts it) to 1. */
  share: number;
  /** Not before so many devices have an outcome. */
  minimum: number;
}

/** What a rule saw when it fired. */
export interface StopFired {
  rule: StopRule;
  count: number;
  responded: number;
}

const countOf = (on: StopRule['on'], tally: Tally): number =>
  on === 'lost' ? tally.failed + tally['timed-out'] + tally.silent : tally[on];

/** The first rule that fires, in their order. Over those with an outcome, so that it works while most are yet to come. */
export function stopFired(rules: readonly StopRule[], tally: Tally): StopFired | undefined {
  const of = responded(tally);
  for (const rule of rules) {
    const count = countOf(rule.on, tally);
    if (of >= Math.max(1, rule.minimum) && count > 0 && count / of > rule.share) return { rule, count, responded: of };
  }
  return undefined;
}

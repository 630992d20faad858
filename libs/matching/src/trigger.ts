import type { Attributes } from './attributes.js';
import type { TriggerEvent } from './event-attributes.js';
import { evaluate, type Verdict } from './evaluate.js';
import { FLOOR_RULE, type CheckedRuleSet, type CheckedTrigger } from './rule-set.js';

/** The longest that a handset is silent, whatever its rules say: 24 h. */
export const TIMER_FLOOR_MS = 86_400_000;

/** How far each rule is. Plain data: the handset stores it, a new rule set keeps what has the same id. */
export interface TriggerState {
  /** When the handset last asked, or is to ask; ms. */
  polledAt: number;
  rules: Readonly<Record<string, RuleProgress>>;
}

interface RuleProgress {
  /** When the rule last made the handset ask; ms. */
  firedAt?: number;
  /** When a `timer` last found it not satisfied; ms. */
  checkedAt?: number;
  /** Occurrences that satisfied it since. */
  count: number;
}

/** Something happened on the handset. */
export interface Occurrence {
  on: TriggerEvent;
  /** ms */
  at: number;
  /** What is known of it, by the names of EVENT_SCHEMA; `on` is added. */
  event?: Attributes;
}

export interface TriggerContext {
  ruleSet: CheckedRuleSet;
  device: Attributes;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** The request to make: by which rule of which version, and when (ms). */
export interface Fire {
  rule: string;
  version: number;
  at: number;
}

/** Why a rule fired or did not; for explain, never sent. */
export interface Considered {
  rule: string;
  outcome: 'fired' | 'when' | 'after' | 'min-interval';
  verdict?: Verdict;
}

/** The state of a handset that has just enrolled. */
export const initialTriggers = (now: number): TriggerState => ({ polledAt: now, rules: {} });

/**
 * Shows one occurrence to every rule. Rules that fire together make one request, the earliest. A request is never put
 * off beyond 24 h after the last, and a `timer` that finds 24 h gone fires the floor, which no rule set can remove.
 */
export function stepTriggers(
  state: TriggerState,
  occurrence: Occurrence,
  context: TriggerContext,
): { state: TriggerState; fire?: Fire; considered: Considered[] } {
  const { ruleSet, random } = context;
  const rules: Record<string, RuleProgress> = { ...state.rules };
  const considered: Considered[] = [];
  const fires: Fire[] = [];
  for (const rule of ruleSet.rules.filter(({ on }) => on.includes(occurrence.on))) {
    const progress = progressOf(state, rule.id);
    const { outcome, verdict } = consider(rule, progress, occurrence, context);
    considered.push({ rule: rule.id, outcome, ...(verdict === undefined ? {} : { verdict }) });
    if (outcome !== 'fired') {
      rules[rule.id] = notFired(rule, progress, { outcome, occurrence });
      continue;
    }
    const at = Math.max(occurrence.at, Math.min(occurrence.at + jitterOf(rule, random), floorOf(state, occurrence.at)));
    rules[rule.id] = { firedAt: at, count: 0 };
    fires.push({ rule: rule.id, version: ruleSet.version, at });
  }
  if (fires.length === 0 && occurrence.on === 'timer' && occurrence.at >= floorOf(state, occurrence.at))
    fires.push({ rule: FLOOR_RULE, version: ruleSet.version, at: occurrence.at });
  const fire = fires.reduce<Fire | undefined>(
    (first, next) => (first && first.at <= next.at ? first : next),
    undefined,
  );
  return {
    state: { polledAt: fire?.at ?? state.polledAt, rules },
    ...(fire === undefined ? {} : { fire }),
    considered,
  };
}

/** After a request that no trigger asked for: the floor counts from it. */
export const polled = (state: TriggerState, at: number): TriggerState => ({ ...state, polledAt: at });

/** When the agent's clock has to bring the next `timer` occurrence: the first period that ends, at the latest the floor. */
export function nextTimer(state: TriggerState, ruleSet: CheckedRuleSet, now: number): number {
  const periods = ruleSet.rules.flatMap(({ id, on, minInterval }) => {
    if (!on.includes('timer') || minInterval === undefined) return [];
    const { firedAt, checkedAt } = progressOf(state, id);
    const last =
      firedAt === undefined && checkedAt === undefined ? state.polledAt : Math.max(firedAt ?? 0, checkedAt ?? 0);
    return [last + minInterval * 1000];
  });
  return Math.max(now, Math.min(floorOf(state, now), ...periods));
}

function notFired(
  rule: CheckedTrigger,
  progress: RuleProgress,
  { outcome, occurrence }: { outcome: Considered['outcome']; occurrence: Occurrence },
): RuleProgress {
  const count = outcome === 'when' ? progress.count : Math.min(progress.count + 1, rule.after ?? 1);
  const checked = occurrence.on === 'timer' && outcome !== 'min-interval' ? { checkedAt: occurrence.at } : {};
  return { ...progress, ...checked, count };
}

const progressOf = (state: TriggerState, rule: string): RuleProgress =>
  (Object.hasOwn(state.rules, rule) ? state.rules[rule] : undefined) ?? { count: 0 };

function consider(
  rule: CheckedTrigger,
  progress: RuleProgress,
  occurrence: Occurrence,
  { device }: TriggerContext,
): { outcome: Considered['outcome']; verdict?: Verdict } {
  const event: Attributes = { ...occurrence.event, on: occurrence.on };
  const verdict = rule.condition === undefined ? undefined : evaluate(rule.condition, { device, event });
  if (verdict !== undefined && verdict.result !== true) return { outcome: 'when', verdict };
  if (progress.count + 1 < (rule.after ?? 1)) return { outcome: 'after', verdict };
  const mayFire = (mayFireAt(rule, progress, occurrence.at) ?? occurrence.at) <= occurrence.at;
  return { outcome: mayFire ? 'fired' : 'min-interval', verdict };
}

/** The end of the rule's interval. A last time in the future is of a clock since put back, and does not count. */
function mayFireAt(rule: CheckedTrigger, { firedAt }: RuleProgress, now: number): number | undefined {
  if (firedAt === undefined || rule.minInterval === undefined) return undefined;
  const interval = rule.minInterval * 1000;
  return firedAt - now > (rule.jitter ?? 0) * 1000 ? now : firedAt + interval;
}

const jitterOf = (rule: CheckedTrigger, random: () => number): number =>
  Math.floor(random() * (rule.jitter ?? 0) * 1000);

/** 24 h after the last request; a last request more than a day ahead is of a clock since put back. */
const floorOf = ({ polledAt }: TriggerState, now: number): number =>
  polledAt - now > TIMER_FLOOR_MS ? now : polledAt + TIMER_FLOOR_MS;

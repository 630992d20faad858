import type { AttributeSchema, Attributes } from './attributes.js';
import { bucketOf, inWave, isHeldOut } from './bucket.js';
import { evaluate, type Verdict } from './evaluate.js';
import { MatchingError, type MatchingErrorCode } from './matching-error.js';
import { checkRule, type CheckedRule } from './rule.js';
import { isInWindow, nextWindowStart, type WeeklyWindow } from './window.js';

/** What of an offer is compared; the same on the handset and on the server. */
export interface MatchableOffer {
  /** CEL, or the same already checked. */
  selector: string | CheckedRule;
  salt: string;
  waveUpTo: number;
  holdOut: number;
  /** RFC 3339 */
  start: string;
  end: string | null;
  windows: readonly WeeklyWindow[];
}

export interface MatchContext {
  deviceId: string;
  attributes: Attributes;
  /** Not needed when the selector is checked already. */
  schema?: AttributeSchema;
  /** ms */
  now: number;
  /** The device's own zone, IANA; UTC when it does not know. */
  zone?: string;
}

export type MatchReason = 'not-started' | 'ended' | 'hold-out' | 'wave' | 'no-fit' | 'window';

export type Match =
  | { fits: true; verdict: Verdict }
  | {
      fits: false;
      reason: MatchReason;
      /** With `no-fit` and `window`: what the selector said. */
      verdict?: Verdict;
      /** With `no-fit`: the selector names what this schema does not have, or is no rule. */
      refused?: MatchingErrorCode;
      /** With `not-started` and `window`: when to look again, ms; not known if no window ever opens. */
      opensAt?: number;
    };

/** A gate of an offer that looks at no attribute; an explanation asks every one. */
export interface MatchQuestion {
  reason: Exclude<MatchReason, 'no-fit' | 'window'>;
  holds: (offer: MatchableOffer, context: { now: number; bucket: number }) => boolean;
}

/** In the order in which they are asked; the rule comes behind them, and windows last: what fits can wait for them. */
export const MATCH_QUESTIONS: readonly MatchQuestion[] = [
  { reason: 'not-started', holds: ({ start }, { now }) => !(now >= Date.parse(start)) },
  { reason: 'ended', holds: ({ end }, { now }) => end !== null && !(now < Date.parse(end)) },
  { reason: 'hold-out', holds: ({ holdOut }, { bucket }) => isHeldOut(bucket, holdOut) },
  { reason: 'wave', holds: ({ waveUpTo, holdOut }, { bucket }) => !inWave(bucket, waveUpTo, holdOut) },
];

/** Whether an offer is for this device now, or the first gate that holds. */
export function matchOffer(offer: MatchableOffer, context: MatchContext): Match {
  const { now, zone } = context;
  const bucket = bucketOf(offer.salt, context.deviceId);
  const reason = MATCH_QUESTIONS.find(({ holds }) => holds(offer, { now, bucket }))?.reason;
  if (reason !== undefined)
    return { fits: false, reason, ...(reason === 'not-started' ? { opensAt: Date.parse(offer.start) } : {}) };
  const rule = selectorOf(offer, context);
  if (typeof rule === 'string') return { fits: false, reason: 'no-fit', refused: rule };
  const verdict = evaluate(rule, { device: context.attributes });
  if (verdict.result !== true) return { fits: false, reason: 'no-fit', verdict };
  if (isInWindow(offer.windows, now, zone)) return { fits: true, verdict };
  return { fits: false, reason: 'window', verdict, opensAt: nextWindowStart(offer.windows, now, zone) };
}

/** A handset may hold an older schema than the selector was written against: then it cannot say, and does not fit. */
export function selectorOf(
  { selector }: Pick<MatchableOffer, 'selector'>,
  { schema }: Pick<MatchContext, 'schema'>,
): CheckedRule | MatchingErrorCode {
  if (typeof selector !== 'string') return selector;
  try {
    return checkRule(selector, schema ?? { version: 0, attributes: {} }, 'selector');
  } catch (error) {
    if (error instanceof MatchingError) return error.code;
    throw error;
  }
}

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

/** Whether an offer is for this device now, or the first gate that holds. Windows come last: what fits can wait for them. */
export function matchOffer(offer: MatchableOffer, context: MatchContext): Match {
  const { now, zone } = context;
  const bucket = bucketOf(offer.salt, context.deviceId);
  const opensAt = Date.parse(offer.start);
  if (!(now >= opensAt)) return { fits: false, reason: 'not-started', opensAt };
  if (offer.end !== null && !(now < Date.parse(offer.end))) return { fits: false, reason: 'ended' };
  if (isHeldOut(bucket, offer.holdOut)) return { fits: false, reason: 'hold-out' };
  if (!inWave(bucket, offer.waveUpTo, offer.holdOut)) return { fits: false, reason: 'wave' };
  const rule = selectorOf(offer, context);
  if (typeof rule === 'string') return { fits: false, reason: 'no-fit', refused: rule };
  const verdict = evaluate(rule, { device: context.attributes });
  if (verdict.result !== true) return { fits: false, reason: 'no-fit', verdict };
  if (isInWindow(offer.windows, now, zone)) return { fits: true, verdict };
  return { fits: false, reason: 'window', verdict, opensAt: nextWindowStart(offer.windows, now, zone) };
}

/** A handset may hold an older schema than the selector was written against: then it cannot say, and does not fit. */
function selectorOf({ selector }: MatchableOffer, { schema }: MatchContext): CheckedRule | MatchingErrorCode {
  if (typeof selector !== 'string') return selector;
  try {
    return checkRule(selector, schema ?? { version: 0, attributes: {} }, 'selector');
  } catch (error) {
    if (error instanceof MatchingError) return error.code;
    throw error;
  }
}

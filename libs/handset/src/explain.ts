import { type Offer } from '#device-protocol/index.js';
import {
  bucketOf,
  checkRule,
  evaluate,
  inWave,
  isHeldOut,
  isInWindow,
  type Match,
  MatchingError,
  matchOffer,
  type Verdict,
} from '#matching/index.js';
import { type OfferedContent } from './catalogue.js';
import { type MatchingContext } from './offers.js';

/** One condition of an offer, three-valued. `leaf` is the part of the selector that decided. */
export interface Condition {
  condition: 'started' | 'not-ended' | 'in-wave' | 'not-held-out' | 'in-window' | 'selector';
  result: Verdict['result'];
  expression?: string;
  leaf?: Verdict['leaf'];
  refused?: string;
}

export interface ExplainedOffer {
  contentId: string;
  campaignId: string;
  result: Verdict['result'];
  /** The first gate that holds, as the agent applies them. */
  heldBy?: Extract<Match, { fits: false }>['reason'];
  conditions: readonly Condition[];
}

/** Every condition of every offer, also those behind the first that fails. For the device's owner; never sent. */
export function explainOffers(contents: readonly OfferedContent[], context: MatchingContext): ExplainedOffer[] {
  return contents.flatMap(({ contentId, offers }) =>
    offers.map((offer) => {
      const match = matchOffer(offer, context);
      const conditions = conditionsOf(offer, context);
      const result = conditions.some((condition) => condition.result === false)
        ? false
        : (conditions.find((condition) => condition.result === 'unknown')?.result ?? true);
      const heldBy = match.fits ? {} : { heldBy: match.reason };
      return { contentId, campaignId: offer.campaign, result, ...heldBy, conditions };
    }),
  );
}

function conditionsOf(offer: Offer, { deviceId, now, zone, ...context }: MatchingContext): Condition[] {
  const bucket = bucketOf(offer.salt, deviceId);
  return [
    { condition: 'started', result: now >= Date.parse(offer.start), expression: offer.start },
    { condition: 'not-ended', result: offer.end === null || now < Date.parse(offer.end), expression: offer.end ?? '' },
    { condition: 'not-held-out', result: !isHeldOut(bucket, offer.holdOut), expression: `holdOut ${offer.holdOut}` },
    {
      condition: 'in-wave',
      result: inWave(bucket, offer.waveUpTo, offer.holdOut),
      expression: `${bucket} < ${offer.waveUpTo}`,
    },
    selectorCondition(offer.selector, context),
    { condition: 'in-window', result: isInWindow(offer.windows, now, zone) },
  ];
}

function selectorCondition(
  expression: string,
  { schema, attributes }: Pick<MatchingContext, 'schema' | 'attributes'>,
): Condition {
  try {
    const { result, leaf } = evaluate(checkRule(expression, schema, 'selector'), { device: attributes });
    return { condition: 'selector', result, expression, leaf };
  } catch (error) {
    if (!(error instanceof MatchingError)) throw error;
    return { condition: 'selector', result: false, expression, refused: error.code };
  }
}

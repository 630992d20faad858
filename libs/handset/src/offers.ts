import { type DeclineReason, type Offer, type OfferRef } from '#device-protocol/index.js';
import {
  type Attributes,
  type AttributeSchema,
  bucketOf,
  evaluate,
  inWave,
  isHeldOut,
  isInWindow,
  type Match,
  matchOffer,
  checkRule,
  MatchingError,
  type Verdict,
} from '#matching/index.js';
import { type OfferedContent } from './catalogue-client.js';
import { type Candidate } from './ports.js';

export interface MatchingContext {
  deviceId: string;
  attributes: Attributes;
  schema: AttributeSchema;
  /** ms */
  now: number;
  /** The device's own zone. */
  zone: string;
}

/** What the handset's own comparison comes to. Only ids and reasons of a closed list go out of here. */
export interface Matched {
  candidates: readonly Candidate[];
  declines: readonly (OfferRef & { reason: DeclineReason })[];
  /** When a gate of time opens next, ms; undefined when none waits. */
  opensAt: number | undefined;
}

/** Compares every offer with the handset's own data. Of several offers of one content the one with the highest priority counts. */
export function matchContents(contents: readonly OfferedContent[], context: MatchingContext): Matched {
  const candidates: Candidate[] = [];
  const declines: (OfferRef & { reason: DeclineReason })[] = [];
  const opens: number[] = [];
  for (const content of contents) {
    const matches = content.offers.map((offer) => ({ offer, match: matchOffer(offer, context) }));
    const best = matches.filter(({ match }) => match.fits).sort((a, b) => b.offer.priority - a.offer.priority)[0];
    if (best !== undefined) candidates.push(candidateOf(content, best.offer));
    for (const { offer, match } of matches) {
      if (match.fits) continue;
      if (match.reason === 'no-fit')
        declines.push({ contentId: content.contentId, campaignId: offer.campaign, reason: 'no-fit' });
      if (match.opensAt !== undefined) opens.push(match.opensAt);
    }
  }
  candidates.sort((a, b) => b.priority - a.priority);
  return { candidates, declines, opensAt: opens.length === 0 ? undefined : Math.min(...opens) };
}

function candidateOf({ contentId, target, description }: OfferedContent, offer: Offer): Candidate {
  return { contentId, campaignId: offer.campaign, priority: offer.priority, description, sizeBytes: target.length };
}

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

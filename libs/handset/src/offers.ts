import { type DeclineReason, type Offer, type OfferRef } from '#device-protocol/index.js';
import type * as matching from '#matching/index.js';
import { type Attributes, type AttributeSchema } from '#matching/index.js';
import { firstOf } from './backoff.js';
import { type OfferedContent } from './catalogue.js';
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
export function matchContents(
  contents: readonly OfferedContent[],
  context: MatchingContext,
  { matchOffer }: Pick<typeof matching, 'matchOffer'>,
): Matched {
  const candidates: Candidate[] = [];
  const declines: (OfferRef & { reason: DeclineReason })[] = [];
  const opens: (number | undefined)[] = [];
  for (const content of contents) {
    const matches = content.offers.map((offer) => ({ offer, match: matchOffer(offer, context) }));
    const best = matches.filter(({ match }) => match.fits).sort((a, b) => b.offer.priority - a.offer.priority)[0];
    if (best !== undefined) candidates.push(candidateOf(content, best.offer));
    for (const { offer, match } of matches) {
      if (match.fits) continue;
      if (match.reason === 'no-fit')
        declines.push({ contentId: content.contentId, campaignId: offer.campaign, reason: 'no-fit' });
      opens.push(match.opensAt);
    }
  }
  candidates.sort((a, b) => b.priority - a.priority);
  return { candidates, declines, opensAt: firstOf(opens) };
}

function candidateOf({ contentId, target, description }: OfferedContent, offer: Offer): Candidate {
  return { contentId, campaignId: offer.campaign, priority: offer.priority, description, sizeBytes: target.length };
}

import { createHash } from 'node:crypto';
import { type Gate, type Offer } from '#device-protocol/index.js';
import {
  bucketOf,
  type ExplainedGate,
  type ExplainedOffer,
  type ExplainedRule,
  type Explanation,
  type GateName,
  isInWindow,
  MATCH_QUESTIONS,
  matchOffer,
  nextWindowStart,
  selectorOf,
  throughAll,
  trace,
  type Truth,
} from '#matching/index.js';
import { type Catalogue, type OfferedContent } from './catalogue.js';
import { type MatchingContext } from './offers.js';
import { type Clock } from '#runtime/index.js';

interface Held {
  gate: Gate;
  /** ms */
  retryAt?: number;
}

/** Of the agent's state what bears on an explanation. */
interface State {
  contents: Readonly<Record<string, { campaignId: string; stage: string }>>;
  declined: Readonly<Record<string, string>>;
  held: Readonly<Record<string, Held>>;
}

/** Of the agent. */
export interface ExplainingParts {
  identity: { deviceId: string };
  clock: Clock;
  state: { now: State };
}

/** What the agent knows of what is offered, and of the handset. */
export interface Known {
  catalogue: Pick<Catalogue, 'contents' | 'schema'>;
  attributes: MatchingContext['attributes'];
  /** The device's own. */
  zone: string;
}

interface Explaining {
  context: MatchingContext;
  state: State;
}

/**
 * Why this handset takes what its catalogue offers, or does not: an explanation for each campaign, in the form that the server has,
 * with the handset's own values. For its owner; nothing of it is ever sent.
 * @param of a campaign or a content; all, when absent
 */
export function explainOffers(
  { identity, clock, state }: ExplainingParts,
  { catalogue, attributes, zone }: Known,
  of?: string,
): Explanation[] {
  const { contents, schema } = catalogue;
  const context = { deviceId: identity.deviceId, attributes, schema, now: clock.now(), zone };
  const offers = contents.flatMap((content) =>
    content.offers.map((offer) => explained(content, offer, { context, state: state.now })),
  );
  const wanted = offers.filter(({ contentId, campaignId }) => of === undefined || [contentId, campaignId].includes(of));
  const at = new Date(context.now).toISOString();
  return [...new Set(wanted.map(({ campaignId }) => campaignId))].map((campaignId) => ({
    campaignId,
    deviceId: context.deviceId,
    by: 'handset',
    at,
    position: null,
    offers: wanted.filter((offer) => offer.campaignId === campaignId),
  }));
}

/** What the server has selected comes without salt and selector: it has compared, and asked every gate. */
const isServers = ({ salt }: Offer): boolean => salt === '';

function explained(content: OfferedContent, offer: Offer, { context, state }: Explaining): ExplainedOffer {
  const { contentId } = content;
  const rule = isServers(offer) ? null : ruleOf(offer, context);
  const gates = [
    gate('mode', true, { compared: isServers(offer) ? 'server' : 'device' }, 'server'),
    ...(rule === null ? [] : comparedHere(offer, rule, context)),
    ...ownGates(contentId, offer, state),
    precedence(content, offer, context),
    ...serverGate(state.held[contentId], context.now),
  ];
  return { contentId, campaignId: offer.campaign, ...throughAll(gates), gates, rule, history: [] };
}

const gate = (
  name: GateName,
  passes: Truth,
  value: ExplainedGate['value'],
  source: ExplainedGate['source'],
): ExplainedGate => ({ gate: name, passes, value, source, at: null });

/** When it opens, where that is known. */
const opening = (at: number | undefined, now: number): ExplainedGate['value'] =>
  at === undefined ? {} : { opensInSeconds: Math.max(0, Math.ceil((at - now) / 1000)) };

function comparedHere(offer: Offer, rule: ExplainedRule, { deviceId, now, zone }: MatchingContext): ExplainedGate[] {
  const bucket = bucketOf(offer.salt, deviceId);
  const looked = {
    'not-started': { start: offer.start },
    ended: { end: offer.end },
    'hold-out': { bucket, holdOut: offer.holdOut },
    wave: { bucket, waveUpTo: offer.waveUpTo },
  };
  const isOpen = isInWindow(offer.windows, now, zone);
  const opens = isOpen ? undefined : nextWindowStart(offer.windows, now, zone);
  return [
    ...MATCH_QUESTIONS.map(({ reason, holds }) =>
      gate(reason, !holds(offer, { now, bucket }), looked[reason], 'computed'),
    ),
    // A rule that cannot say does not fit.
    gate('no-fit', rule.result === true, {}, 'device'),
    gate('window', isOpen, { windows: offer.windows.length, zone, ...opening(opens, now) }, 'computed'),
  ];
}

function ruleOf({ selector }: Offer, { schema, attributes: device }: MatchingContext): ExplainedRule {
  const digest = createHash('sha256').update(selector).digest('hex');
  const about = { selector, digest, source: 'device', at: null } as const;
  const rule = selectorOf({ selector }, { schema });
  if (typeof rule === 'string') return { ...about, result: false, refused: rule, condition: null, wouldMatchIf: null };
  const { condition, wouldMatchIf } = trace(rule, { device }, { source: 'device', at: null });
  const because = condition.result === 'unknown' ? ({ because: 'missing' } as const) : {};
  return { ...about, result: condition.result, ...because, condition, wouldMatchIf };
}

/** What it has, and what it said no to. */
function ownGates(
  contentId: string,
  { campaign }: Offer,
  { contents, declined }: Explaining['state'],
): ExplainedGate[] {
  const held = contents[contentId];
  const reason = declined[`${contentId} ${campaign}`];
  const isRefused = reason !== undefined && reason !== 'no-fit';
  return [
    gate('taken', held === undefined, { by: held?.campaignId ?? null, stage: held?.stage ?? null }, 'device'),
    gate('declined', !isRefused, { reason: isRefused ? reason : null }, 'device'),
  ];
}

/** Of several offers of one content the one with the highest priority counts. */
function precedence({ offers }: OfferedContent, offer: Offer, context: MatchingContext): ExplainedGate {
  const rivals = offers.filter((other) => other.priority > offer.priority && matchOffer(other, context).fits);
  return gate('precedence', rivals.length === 0, { behind: rivals[0]?.campaign ?? null }, 'computed');
}

/** What the server answered to the request, until the hour that it named. */
function serverGate(held: Held | undefined, now: number): ExplainedGate[] {
  if (held === undefined) return [];
  const name = held.gate === 'not-offered' ? 'offered' : held.gate;
  const isOver = held.retryAt !== undefined && held.retryAt <= now;
  const answered = gate(name, isOver ? 'unknown' : false, opening(held.retryAt, now), 'server');
  return [isOver ? { ...answered, because: 'not-asked' } : answered];
}

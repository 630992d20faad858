import { type DeclineReason, LIMITS, type OfferRef } from '#device-protocol/index.js';
import { backoffMs, firstOf } from './backoff.js';
import { type Collected } from './attributes.js';
import { type Catalogue } from './catalogue.js';
import { deliver, type Granted, keepDescription } from './deliver.js';
import { HandsetError, hookCode } from './errors.js';
import { gateAgainst, readConditions } from './gates.js';
import { matchContents } from './offers.js';
import { type Parts, record } from './parts.js';
import { type Candidate } from './ports.js';
import { type HeldContent, isOpenTo, isUnderWay } from './state.js';

type Decline = OfferRef & { reason: DeclineReason };

/** Said once and for all, until a person asks again; the others are looked at anew whenever the agent is awake. */
const STICKY: ReadonlySet<unknown> = new Set(['user', 'digest', 'install-failed']);

/** Nothing else is to be had from the server either. */
const NO_SERVER: ReadonlySet<unknown> = new Set(['transport.unreachable', 'transport.certificate-time', 'server.busy']);

const keyOf = ({ contentId, campaignId }: OfferRef): string => `${contentId} ${campaignId}`;

export interface Round {
  catalogue: Catalogue;
  collected: Collected;
  zone: string;
  /** A person asked: what was declined is offered again. */
  isManual: boolean;
}

/** What the agent has come to with the offers. */
export interface Taken {
  /** When to come back for something that waits, ms; undefined when only a trigger can bring news. */
  opensAt: number | undefined;
  /** Why a transfer did not get to its end; others were not held up by it. */
  failure: HandsetError | undefined;
}

/**
 * Compares the catalogue with the handset's own data, asks for what fits and takes it. Out go content ids, or a reason from
 * the closed list, once each; never an attribute, nor which condition failed.
 * @throws HandsetError when the server cannot be had at all
 */
export async function takeOffers(parts: Parts, round: Round): Promise<Taken> {
  const { state, clock, random } = parts;
  const { catalogue, collected, zone } = round;
  const context = { deviceId: parts.identity.deviceId, attributes: collected.attributes, schema: catalogue.schema };
  const matched = matchContents(catalogue.contents, { ...context, now: clock.now(), zone }, parts.engine);
  const { taken, declines } = await decide(parts, matched.candidates, round.isManual);
  await say(parts, catalogue, [...matched.declines, ...declines]);
  const granted = await request(parts, catalogue, taken);
  const { waits, failure } = await deliverAll(parts, catalogue, granted);
  const held = Object.values(state.now.held).map(({ retryAt }) => retryAt);
  const opensAt = firstOf([matched.opensAt, ...waits, ...held].filter((at) => at !== undefined && at > clock.now()));
  // Many wait for the same hour: they come as spread as those whose poll failed.
  return { opensAt: opensAt && opensAt + backoffMs(1, random, state.intervalMs), failure };
}

/** The embedder's and the device's say on what fits: choice, local gates, consent; in this order, all before the first byte. */
async function decide(
  parts: Parts,
  fitting: readonly Candidate[],
  isManual: boolean,
): Promise<{ taken: Candidate[]; declines: Decline[] }> {
  const { state, hooks, store, clock } = parts;
  const isOpen = (candidate: Candidate): boolean => {
    const isDeclined = STICKY.has(state.now.declined[keyOf(candidate)]) && !isManual;
    const waits = (state.now.held[candidate.contentId]?.retryAt ?? 0) > clock.now();
    return isOpenTo(state.now.contents[candidate.contentId], candidate.campaignId) && !isDeclined && !waits;
  };
  const open = fitting.filter(isOpen);
  const chosen = open.length === 0 ? [] : await ask(parts, 'choose', () => hooks.choose?.(open) ?? idsOf(open), []);
  const taken: Candidate[] = [];
  const declines: Decline[] = [];
  const conditions = readConditions(store);
  for (const candidate of open) {
    const { contentId, campaignId } = candidate;
    const reason = chosen.includes(contentId) ? gateAgainst(candidate.sizeBytes, conditions, parts.gates) : 'user';
    const isWilling =
      reason === undefined && (await ask(parts, 'mayStart', () => hooks.mayStart?.(candidate) ?? yes(), false));
    if (isWilling) taken.push(candidate);
    else declines.push({ contentId, campaignId, reason: reason ?? 'user' });
  }
  return { taken, declines };
}

const idsOf = (candidates: readonly Candidate[]) => Promise.resolve(candidates.map(({ contentId }) => contentId));
const yes = () => Promise.resolve(true);

/** A hook that fails or times out is a no; it is never a yes. */
async function ask<T>({ log }: Parts, hook: string, question: () => Promise<T>, no: T): Promise<T> {
  try {
    return await question();
  } catch (error) {
    log.warn('hook.failed', { hook, code: hookCode(error) });
    return no;
  }
}

async function say(parts: Parts, { snapshotVersion }: Catalogue, declines: readonly Decline[]): Promise<void> {
  const { state, api } = parts;
  const news = declines.filter((decline) => state.now.declined[keyOf(decline)] !== decline.reason);
  for (let from = 0; from < news.length; from += LIMITS.declinesPerCall) {
    const some = news.slice(from, from + LIMITS.declinesPerCall);
    await api.decline({ snapshotVersion, declines: some });
    const said = Object.fromEntries(some.map((decline) => [keyOf(decline), decline.reason]));
    state.update({ declined: { ...state.now.declined, ...said } });
  }
}

/** Asks for what is taken. A grant is on the record before its transfer begins; a gate is remembered with its hour. */
async function request(
  parts: Parts,
  { snapshotVersion, contents }: Catalogue,
  taken: readonly Candidate[],
): Promise<Map<string, Granted>> {
  const { state, api, clock } = parts;
  const granted = new Map<string, Granted>();
  for (const { contentId, campaignId } of taken)
    if (state.now.held[contentId] === undefined)
      record(parts, { type: 'ContentMatched', data: { contentId, campaignId, snapshotVersion } });
  for (let from = 0; from < taken.length; from += LIMITS.requestsPerCall) {
    const requests = taken
      .slice(from, from + LIMITS.requestsPerCall)
      .map(({ contentId, campaignId }) => ({ contentId, campaignId }));
    const { answers } = await api.request({ snapshotVersion, requests });
    for (const answer of answers) {
      const content = contents.find(({ contentId }) => contentId === answer.contentId);
      const isAsked = requests.some((asked) => keyOf(asked) === keyOf(answer));
      if (content === undefined || !isAsked) continue; // not asked for: whatever it is, it is not for us
      const { [answer.contentId]: _, ...held } = state.now.held;
      if ('grant' in answer) {
        granted.set(answer.contentId, answer);
        keepDescription(parts, answer.contentId, content.description);
        const { length: sizeBytes, hashes } = content.target;
        const fresh: HeldContent = {
          campaignId: answer.campaignId,
          stage: 'granted',
          sha256: hashes.sha256 ?? '',
          sizeBytes,
          at: clock.now(),
          processed: [],
          isConfirmed: false,
        };
        state.update({ held, contents: { ...state.now.contents, [answer.contentId]: fresh } });
      } else {
        const { gate, retryAfterSeconds } = answer;
        const retryAt = retryAfterSeconds && clock.now() + retryAfterSeconds * 1000;
        state.update({ held: { ...held, [answer.contentId]: { gate, retryAt } } });
      }
    }
  }
  return granted;
}

/** One after the other, what was interrupted earlier included. `waits`: when gates open that had closed on the way, ms. */
async function deliverAll(
  parts: Parts,
  catalogue: Catalogue,
  granted: ReadonlyMap<string, Granted>,
): Promise<{ waits: number[]; failure: HandsetError | undefined }> {
  const { state, clock, log } = parts;
  const waits: number[] = [];
  let failure: HandsetError | undefined;
  const underWay = Object.entries(state.now.contents).filter(([, content]) => isUnderWay(content));
  for (const [contentId, { campaignId }] of underWay) {
    try {
      const delivery = { granted: granted.get(contentId), keys: catalogue.grantKeys };
      const reason = await deliver(parts, contentId, delivery);
      if (reason !== undefined) await say(parts, catalogue, [{ contentId, campaignId, reason }]);
    } catch (error) {
      if (!(error instanceof HandsetError)) throw error;
      const { code, details } = error;
      log.warn('transfer.interrupted', { contentId, code });
      if (NO_SERVER.has(code)) throw error;
      // A gate that names no hour opens with the catalogue: the next poll tells, and asking again before would not.
      const { retryAfterMs } = details;
      if (code !== 'transfer.grant-refused') failure = error;
      else if (typeof retryAfterMs === 'number') waits.push(clock.now() + retryAfterMs);
    }
  }
  return { waits, failure };
}

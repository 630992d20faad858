import { type TriggerName } from '#device-protocol/index.js';
import { TufError } from '#tuf/index.js';
import { collectAttributes } from './attributes.js';
import { jitterMs, restMs, spreadMs } from './backoff.js';
import { type Catalogue, type CataloguePoll, type CatalogueSource } from './catalogue.js';
import { keptDescription } from './deliver.js';
import { HandsetError, isRefusal } from './errors.js';
import { workInbox } from './inbox.js';
import { flushFacts, type Parts, record } from './parts.js';
import { parseJson } from './store.js';
import { takeOffers } from './take-offers.js';

export interface PollOutcome {
  answer: 'changed' | 'unchanged' | 'failed';
  snapshotVersion?: number;
  /** Why it failed. */
  code?: string;
  /** When something waits that no trigger announces, ms. */
  followUpAt?: number;
}

/** Facts that tell of progress only ride along with a fuller exchange, unless so many have gathered. */
const GATHERED = 20;
/** How far what goes on without a poll is spread, ms. */
const GO_ON_WINDOW_MS = 16_000;
/** How soon to look for the next processing command, ms; twice as long each time. */
const INBOX_FIRST_MS = 2_000;

export interface RoundContext {
  source: CatalogueSource;
  zone: string;
  /** Takes rules and schema over. */
  adopt(catalogue: Catalogue): void;
  /** Times in a row that an expected processing command has been looked for. */
  inboxLooks: number;
}

/** The state after a poll that the server answered: its question is settled, what follows from the answer goes on by itself. */
function noteSuccess({ state, clock, random, engine }: Parts, trigger: TriggerName, poll: CataloguePoll): void {
  const now = clock.now();
  const intervalSeconds = poll.intervalSeconds ?? state.now.intervalSeconds ?? 3_600;
  state.update({
    triggers: engine.polled(state.now.triggers, now),
    due: undefined,
    failures: 0,
    notBefore: 0,
    refusal: undefined,
    intervalSeconds,
    intervalAt: now + spreadMs(intervalSeconds * 1000, random),
    timestampEtag: poll.etag,
    lastPoll: { at: now, ...trigger, answer: poll.isChanged ? 'changed' : 'unchanged' },
  });
}

/**
 * One poll: the availability request, and what its answer leads to. A failure is on the record with the hour before which
 * the server is left alone; it is not thrown.
 */
export async function poll(parts: Parts, trigger: TriggerName, context: RoundContext): Promise<PollOutcome> {
  const { state, transport, catalogues } = parts;
  let answer: CataloguePoll;
  try {
    const etag = state.now.timestampEtag;
    answer = await catalogues.poll(context.source, transport, { trigger, etag });
    noteSuccess(parts, trigger, answer);
  } catch (error) {
    return noteFailure(parts, trigger, error);
  }
  try {
    const { snapshotVersion } = answer.catalogue;
    // A cache answered: the server has not seen the request, so the handset says it itself.
    if (answer.inboxEtag === undefined)
      record(parts, { type: 'AvailabilityRequested', data: { ...trigger, snapshotVersion } });
    context.adopt(answer.catalogue);
    const isManual = trigger.rule === 'manual';
    const followUpAt = await act(parts, answer.catalogue, { ...context, isManual, inboxEtag: answer.inboxEtag });
    if (answer.isChanged || parts.queue.hasOutcome || parts.queue.size >= GATHERED) await flushFacts(parts);
    return { answer: answer.isChanged ? 'changed' : 'unchanged', snapshotVersion, followUpAt };
  } catch (error) {
    // News of the inbox come with a poll alone, and a refused catalogue is asked for again. For all else the question was
    // answered: what follows from the answer goes on without another poll.
    const hasNews = answer.inboxEtag !== undefined && answer.inboxEtag !== state.now.inboxEtag;
    if (hasNews || isRefusedCatalogue(error)) return noteFailure(parts, trigger, error);
    return { answer: 'failed', code: refusalOf(error).code, followUpAt: goOnLater(parts, error) };
  }
}

/** By the update rules, or by the rule language: neither is a matter of the connection. */
const isRefusedCatalogue = (error: unknown): boolean => isRefusal(error) && !(error instanceof HandsetError);

/** When to go on with what failed, ms; the server that said when to come back is left alone until then. */
function goOnLater({ state, clock, random, log }: Parts, error: unknown): number {
  const { retryAfterMs, code } = refusalOf(error);
  log.warn('follow-up.failed', { code });
  const at = clock.now() + (retryAfterMs ?? 1_000) + jitterMs(GO_ON_WINDOW_MS, random);
  if (retryAfterMs !== undefined) state.update({ notBefore: Math.max(state.now.notBefore, at) });
  return at;
}

/** Goes on with what waits, from the catalogue at hand: no poll, because nothing new is asked for. */
export async function followUp(parts: Parts, context: RoundContext): Promise<number | undefined> {
  try {
    const catalogue = await parts.catalogues.kept(context.source, parts.transport);
    const followUpAt = await act(parts, catalogue, { ...context, isManual: false, inboxEtag: undefined });
    if (parts.queue.hasOutcome) await flushFacts(parts);
    return followUpAt;
  } catch (error) {
    if (error instanceof TufError) return undefined; // not good any more: the next poll brings a new one
    return goOnLater(parts, error);
  }
}

async function act(
  parts: Parts,
  catalogue: Catalogue,
  context: RoundContext & { isManual: boolean; inboxEtag: string | undefined },
): Promise<number | undefined> {
  const { state, hooks, clock } = parts;
  prune(parts, catalogue);
  const collected = await collectAttributes(hooks, catalogue.schema, parts);
  const opensAt = await takeOffers(parts, { ...context, catalogue, collected });
  const { inboxEtag } = context;
  const hasNews = inboxEtag !== undefined && inboxEtag !== state.now.inboxEtag;
  if (awaitsProcessing(parts)) await flushFacts(parts);
  if (hasNews || awaitsProcessing(parts)) await workInbox(parts);
  const looksAt = awaitsProcessing(parts)
    ? clock.now() + INBOX_FIRST_MS * 2 ** Math.min(context.inboxLooks, 10)
    : undefined;
  return opensAt === undefined || looksAt === undefined ? (opensAt ?? looksAt) : Math.min(opensAt, looksAt);
}

/** Installed, but not every application has processed it: the server will order the next. */
export function awaitsProcessing(parts: Pick<Parts, 'state' | 'store'>): boolean {
  return Object.entries(parts.state.now.contents).some(
    ([contentId, { stage, isConfirmed }]) =>
      stage === 'installed' && !isConfirmed && keptDescription(parts, contentId).applications !== undefined,
  );
}

/** What was said of offers that are gone is forgotten, so the memory does not grow with every campaign. */
function prune({ state }: Parts, { contents }: Catalogue): void {
  const offers = new Set(
    contents.flatMap(({ contentId, offers: all }) => all.map(({ campaign }) => `${contentId} ${campaign}`)),
  );
  const ids = new Set(contents.map(({ contentId }) => contentId));
  const declined = Object.fromEntries(Object.entries(state.now.declined).filter(([key]) => offers.has(key)));
  const held = Object.fromEntries(Object.entries(state.now.held).filter(([contentId]) => ids.has(contentId)));
  const isSame =
    Object.keys(declined).length === Object.keys(state.now.declined).length &&
    Object.keys(held).length === Object.keys(state.now.held).length;
  if (!isSame) state.update({ declined, held });
}

async function noteFailure(parts: Parts, trigger: TriggerName, error: unknown): Promise<PollOutcome> {
  const { state, clock, random, log, engine } = parts;
  const { code, retryAfterMs } = refusalOf(error);
  const failures = state.now.failures + 1;
  const now = clock.now();
  // The server takes a question an interval from every handset: no outage is a reason to stay away for longer.
  const intervalMs = (state.now.intervalSeconds ?? 3_600) * 1000;
  const notBefore = now + restMs({ failures, intervalMs, retryAfterMs }, random);
  log.warn('poll.failed', { code, failures, retryInMs: notBefore - now });
  // The floor counts from the attempt; the question stays open.
  const due = state.now.due ?? { ...trigger, at: now };
  const lastPoll = { at: now, ...trigger, answer: 'failed' as const, code };
  state.update({ triggers: engine.polled(state.now.triggers, now), due, failures, notBefore, lastPoll });
  if (isRefusedCatalogue(error) && state.now.refusal !== code) {
    record(parts, { type: 'CatalogueRefused', data: { code } }, { refusal: code });
    await flushFacts(parts).catch((failure: unknown) => log.warn('facts.waiting', { code: refusalOf(failure).code }));
  }
  return { answer: 'failed', code };
}

/** The code of a refusal; what is none is a mistake of ours and ends the agent. */
export function refusalOf(error: unknown): { code: string; retryAfterMs: number | undefined } {
  if (!isRefusal(error)) throw error;
  const retryAfterMs = error instanceof HandsetError ? error.details.retryAfterMs : undefined;
  return { code: error.code, retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined };
}

/** The rules of a catalogue as JSON. */
export const rulesOf = ({ rules }: Catalogue): unknown => (rules === undefined ? undefined : parseJson(rules));

import { type TriggerName } from '#device-protocol/index.js';
import { TufError } from '#tuf/index.js';
import { collectAttributes } from './attributes.js';
import { backoffMs, firstOf, jitterMs, restMs, spreadMs } from './backoff.js';
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
/** How far what goes on without a poll is spread after its first failure, ms. */
const GO_ON_WINDOW_MS = 16_000;
/** How soon to look for the next processing command, ms; twice as long each time. */
const INBOX_FIRST_MS = 2_000;

export interface RoundContext {
  source: CatalogueSource;
  zone: string;
  /** Renews the certificate when it is time. @throws HandsetError when the server put it off */
  renew(): Promise<void>;
  /** Takes rules and schema over. */
  adopt(catalogue: Catalogue): void;
  /** Times in a row that an expected processing command has been looked for. */
  inboxLooks: number;
}

/** The state after a poll that the server answered: its question is settled, what follows from the answer goes on by itself. */
function noteSuccess({ state, clock, random, engine }: Parts, trigger: TriggerName, poll: CataloguePoll): void {
  const now = clock.now();
  const intervalSeconds = poll.intervalSeconds ?? state.intervalMs / 1000;
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
  const { state, catalogues } = parts;
  let answer: CataloguePoll;
  try {
    await context.renew();
    const etag = state.now.timestampEtag;
    answer = await catalogues.poll(context.source, parts.transport, { trigger, etag });
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
    const { isChanged, inboxEtag } = answer;
    const followUpAt = await act(parts, answer.catalogue, { ...context, isManual, isChanged, inboxEtag });
    return { answer: answer.isChanged ? 'changed' : 'unchanged', snapshotVersion, followUpAt };
  } catch (error) {
    // News of the inbox come with a poll alone, and a refused catalogue is asked for again. For all else the question was
    // answered: what follows from the answer goes on without another poll.
    const followUpAt = goOnLater(parts, error);
    const hasNews = answer.inboxEtag !== undefined && answer.inboxEtag !== state.now.inboxEtag;
    if (hasNews || isRefusedCatalogue(error)) return noteFailure(parts, trigger, error);
    return { answer: 'failed', code: refusalOf(error).code, followUpAt };
  }
}

/** By the update rules, or by the rule language: neither is a matter of the connection. */
const isRefusedCatalogue = (error: unknown): boolean => isRefusal(error) && !(error instanceof HandsetError);

/**
 * When to go on with what failed, ms: soon after the first failure, then after the back-off of polls. The server that said when to
 * come back is left alone until then; one that does not take this handset for whom it says it is, until the next poll.
 */
function goOnLater({ state, clock, random, log }: Parts, error: unknown): number | undefined {
  const { code, status, retryAfterMs } = refusalOf(error);
  const { setbacks = 0, notBefore } = state.now;
  log.warn('follow-up.failed', { code });
  const spread = setbacks ? backoffMs(setbacks, random, state.intervalMs) : jitterMs(GO_ON_WINDOW_MS, random);
  const at = clock.now() + (retryAfterMs ?? 1_000) + spread;
  state.update({ setbacks: setbacks + 1, notBefore: retryAfterMs === undefined ? notBefore : Math.max(notBefore, at) });
  return status === 401 || status === 403 ? undefined : at;
}

/** Goes on with what waits, from the catalogue at hand: no poll, because nothing new is asked for. */
export async function followUp(parts: Parts, context: RoundContext): Promise<number | undefined> {
  try {
    await context.renew();
    const catalogue = await parts.catalogues.kept(context.source, parts.transport);
    return await act(parts, catalogue, { ...context, isManual: false, isChanged: false, inboxEtag: undefined });
  } catch (error) {
    if (error instanceof TufError) return undefined; // not good any more: the next poll brings a new one
    return goOnLater(parts, error);
  }
}

async function act(
  parts: Parts,
  catalogue: Catalogue,
  context: RoundContext & { isManual: boolean; isChanged: boolean; inboxEtag: string | undefined },
): Promise<number | undefined> {
  const { state, hooks, clock, queue } = parts;
  prune(parts, catalogue);
  const collected = await collectAttributes(hooks, catalogue.schema, parts);
  const { opensAt, failure } = await takeOffers(parts, { ...context, catalogue, collected });
  const { isChanged, inboxEtag } = context;
  const hasNews = inboxEtag !== undefined && inboxEtag !== state.now.inboxEtag;
  if (awaitsProcessing(parts)) await flushFacts(parts);
  if (hasNews || awaitsProcessing(parts)) await workInbox(parts);
  const looksAt = awaitsProcessing(parts)
    ? clock.now() + INBOX_FIRST_MS * 2 ** Math.min(context.inboxLooks, 10)
    : undefined;
  if (isChanged || queue.hasOutcome || queue.size >= GATHERED) await flushFacts(parts);
  if (failure === undefined) state.endSetbacks();
  return firstOf([opensAt, looksAt, failure && goOnLater(parts, failure)]);
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
  const { declined, held } = state.now;
  const offers = contents.flatMap(({ contentId, offers: all }) =>
    all.map(({ campaign }) => `${contentId} ${campaign}`),
  );
  const kept = {
    declined: only(declined, offers),
    held: only(
      held,
      contents.map(({ contentId }) => contentId),
    ),
  };
  if (JSON.stringify(kept) !== JSON.stringify({ declined, held })) state.update(kept);
}

function only<T>(values: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  const wanted = new Set(keys);
  return Object.fromEntries(Object.entries(values).filter(([key]) => wanted.has(key)));
}

async function noteFailure(parts: Parts, trigger: TriggerName, error: unknown): Promise<PollOutcome> {
  const { state, clock, random, log, engine } = parts;
  const { code, retryAfterMs } = refusalOf(error);
  const failures = state.now.failures + 1;
  const now = clock.now();
  const inRow = Math.max(failures, state.now.setbacks ?? 0);
  // The server takes a question an interval from every handset: no outage is a reason to stay away for longer.
  const notBefore = now + restMs({ failures: inRow, intervalMs: state.intervalMs, retryAfterMs }, random);
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

/** What a refusal says; what is none is a mistake of ours and ends the agent. */
export function refusalOf(error: unknown): { code: string; status: unknown; retryAfterMs: number | undefined } {
  if (!isRefusal(error)) throw error;
  const { status, retryAfterMs } = error instanceof HandsetError ? error.details : {};
  return { code: error.code, status, retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined };
}

/** The rules of a catalogue as JSON. */
export const rulesOf = ({ rules }: Catalogue): unknown => parseJson(rules);

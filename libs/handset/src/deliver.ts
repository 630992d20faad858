import { type DeclineReason, type RequestAnswer } from '#device-protocol/index.js';
import { type ContentDescription, contentTargetPath } from '#device-protocol/index.js';
import { HandsetError, hasCode, hookCode } from './errors.js';
import { gateAgainst, readConditions } from './gates.js';
import { checkGrant, type GrantKeys } from './grant.js';
import { finishTelling, type Parts, record } from './parts.js';
import { type AgentState } from './state.js';
import { parseJson, writeJson } from './store.js';
import { contentFile, drop, transfer } from './transfer.js';

/** An answer to a request that lets the transfer begin. */
export type Granted = Extract<RequestAnswer, { grant: string }>;

/** Gates that no waiting opens: the offer is gone. */
const FINAL_GATES: ReadonlySet<unknown> = new Set(['ended', 'withdrawn', 'not-offered', 'hold-out']);

const descriptionFile = (contentId: string): string => `contents/${contentId}.json`;

/** The description that came with a content's offer, for hooks that run after the offer is gone. */
export function keepDescription(
  { store }: Pick<Parts, 'store'>,
  contentId: string,
  description: ContentDescription,
): void {
  writeJson(store, descriptionFile(contentId), description);
}

export function keptDescription({ store }: Pick<Parts, 'store'>, contentId: string): ContentDescription {
  const kept = parseJson(store.read(descriptionFile(contentId)));
  return (kept ?? { name: contentId, version: '', mediaType: '', sizeBytes: 0, attributes: {} }) as ContentDescription;
}

/**
 * Takes one content on from wherever it is: transfer, checks, installation, confirmation. Each stage is on the disk before
 * the next begins, so a killed agent goes on where it was.
 * @param granted the answer to a request just made; absent after a restart
 * @returns a reason to decline the offer with, if it came to that
 * @throws HandsetError `transport.*`, `server.*`: the part is kept, the caller comes back later
 */
export async function deliver(
  parts: Parts,
  contentId: string,
  { granted, keys }: { granted: Granted | undefined; keys: GrantKeys },
): Promise<DeclineReason | undefined> {
  const { state } = parts;
  const stage = () => state.now.contents[contentId]?.stage;
  if (stage() === 'granted') {
    const declined = await receive(parts, contentId, grants(parts, contentId, { granted, keys }));
    if (declined !== undefined) return declined;
  }
  if (stage() === 'transferred') return install(parts, contentId);
  return undefined;
}

async function receive(
  parts: Parts,
  contentId: string,
  grant: () => Promise<{ grant: string; url: string }>,
): Promise<DeclineReason | undefined> {
  const { state, store, hooks, log } = parts;
  const { campaignId, sizeBytes, sha256 } = state.now.contents[contentId]!;
  const held = gateAgainst(sizeBytes - (store.sizeOf(`partial/${contentId}`) ?? 0), readConditions(store), parts.gates);
  if (held !== undefined) {
    log.info('transfer.held', { contentId, gate: held });
    return undefined;
  }
  const target = { path: contentTargetPath(contentId), length: sizeBytes, hashes: { sha256 } };
  const download = {
    contentId,
    target,
    grant,
    onStart: (fromByte: number) =>
      record(
        parts,
        fromByte === 0
          ? { type: 'TransferStarted', data: { contentId, campaignId } }
          : { type: 'TransferResumed', data: { contentId, campaignId, fromByte } },
      ),
    onProgress: (receivedBytes: number) => {
      state.endSetbacks();
      hooks.onProgress?.({ contentId, receivedBytes, sizeBytes });
    },
  };
  try {
    await transfer(download, parts);
  } catch (error) {
    if (!hasCode(error, 'transfer.digest', 'transfer.length')) throw error;
    log.error('transfer.refused', { contentId, code: error.code });
    state.update(state.withContent(contentId, { stage: 'failed', at: parts.clock.now() }));
    return 'digest';
  }
  const completed = { type: 'TransferCompleted' as const, data: { contentId, campaignId, bytes: sizeBytes, sha256 } };
  record(parts, completed, state.withContent(contentId, { stage: 'transferred', at: parts.clock.now() }));
  return undefined;
}

/** The grant at hand first; then a new one for the same request, whenever it is asked for again. */
function grants(
  parts: Parts,
  contentId: string,
  { granted, keys }: { granted: Granted | undefined; keys: GrantKeys },
): () => Promise<{ grant: string; url: string }> {
  const { campaignId } = parts.state.now.contents[contentId]!;
  const subject = { deviceId: parts.identity.deviceId, contentId, campaignId };
  let atHand = granted;
  return async () => {
    const answer = atHand ?? (await askAgain(parts, contentId, campaignId));
    atHand = undefined;
    checkGrant(answer.grant, keys, subject);
    return answer;
  };
}

/** @throws HandsetError `transfer.grant-refused` with the gate; when it is a final one the content is given up */
async function askAgain(parts: Parts, contentId: string, campaignId: string): Promise<Granted> {
  const snapshotVersion = snapshotVersionOf(parts);
  const { answers } = await parts.api.request({ snapshotVersion, requests: [{ contentId, campaignId }] });
  const answer = answers.find((candidate) => candidate.contentId === contentId);
  if (answer !== undefined && 'grant' in answer) return answer;
  const gate = answer?.gate;
  if (FINAL_GATES.has(gate)) giveUp(parts, contentId);
  const retryAfterMs = answer?.retryAfterSeconds && answer.retryAfterSeconds * 1000;
  throw new HandsetError('transfer.grant-refused', { contentId, gate, retryAfterMs });
}

/** Drops what was fetched and forgets the request, so that a later offer can begin anew. */
export function giveUp({ store, state }: Parts, contentId: string): void {
  drop(store, contentId);
  const { [contentId]: _, ...contents } = state.now.contents;
  state.update({ contents });
}

export const snapshotVersionOf = ({ store }: Pick<Parts, 'store'>): number => {
  const snapshot = parseJson(store.read('tuf/snapshot.json')) as { signed?: { version?: unknown } } | null | undefined;
  const version = snapshot?.signed?.version;
  return typeof version === 'number' ? version : 0;
};

/**
 * Runs the embedder's check, as often as it takes, and installation, once: that it began is on the disk first. Without a hook the
 * file staying in its place is the installation.
 */
async function install(parts: Parts, contentId: string): Promise<DeclineReason | undefined> {
  const { state, store, hooks, clock, log } = parts;
  const description = keptDescription(parts, contentId);
  const file = store.path(contentFile(contentId));
  try {
    if (hooks.verify !== undefined && !(await hooks.verify(file, description)))
      throw new HandsetError('hook.failed', { hook: 'verify' });
    if (hooks.install !== undefined) {
      state.update(state.withContent(contentId, { stage: 'installing', at: clock.now() }));
      await hooks.install(file, description);
    }
  } catch (error) {
    const code = hookCode(error);
    log.warn('install.failed', { contentId, code });
    reportFailure(parts, contentId, code);
    return 'install-failed';
  }
  report(parts, contentId, 'installed');
  confirmWhenProcessed(parts, contentId, description);
  return undefined;
}

/** The file goes last: one that is gone before its failure is known could be taken for installed after a kill. */
function reportFailure(parts: Parts, contentId: string, code: string): void {
  report(parts, contentId, 'failed', code);
  parts.store.remove(contentFile(contentId));
}

function report(parts: Parts, contentId: string, outcome: 'installed' | 'failed', code?: string): void {
  const { state, clock } = parts;
  const { campaignId } = state.now.contents[contentId]!;
  const why = code === undefined ? {} : { code };
  const fact = { type: 'InstallReported' as const, data: { contentId, campaignId, outcome, ...why } };
  record(parts, fact, state.withContent(contentId, { stage: outcome, ...why, at: clock.now() }));
}

/** A content for applications is confirmed when the last of them has processed it, any other when it is installed. */
export function confirmWhenProcessed(parts: Parts, contentId: string, description: ContentDescription): void {
  const content = parts.state.now.contents[contentId]!;
  const isProcessed = (description.applications ?? []).every((application) => content.processed.includes(application));
  if (!isProcessed || content.isConfirmed) return;
  confirm(parts, contentId);
}

/** @param done inbox items that are done by it */
export function confirm(parts: Parts, contentId: string, change: Pick<Partial<AgentState>, 'done'> = {}): void {
  const { campaignId } = parts.state.now.contents[contentId]!;
  const confirmed = {
    type: 'OutcomeConfirmed' as const,
    data: { contentId, campaignId, outcome: 'confirmed' as const },
  };
  record(parts, confirmed, { ...change, ...parts.state.withContent(contentId, { isConfirmed: true }) });
}

/** After a start: what was under way when the agent died. An installation got nobody knows how far, and is not run twice. */
export function settleInterrupted(parts: Parts): void {
  finishTelling(parts);
  for (const [contentId, { stage }] of Object.entries(parts.state.now.contents))
    if (stage === 'installing') reportFailure(parts, contentId, 'install.interrupted');
    else if (stage === 'installed') confirmWhenProcessed(parts, contentId, keptDescription(parts, contentId));
    else if (stage === 'failed') parts.store.remove(contentFile(contentId));
}

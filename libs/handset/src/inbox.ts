import { type InboxItem } from '#device-protocol/index.js';
import { confirm, confirmWhenProcessed, giveUp, keptDescription } from './deliver.js';
import { hookCode } from './errors.js';
import { flushFacts, type Parts, record } from './parts.js';
import { type AgentState, isUnderWay } from './state.js';
import { contentFile } from './transfer.js';

/** Items remembered as done; the server removes them when it has read the acknowledgement. */
const REMEMBERED = 1_000;
/** A content names few applications, each ordered after the one before: more turns than this are a server's loop. */
const MAX_TURNS = 32;

/**
 * Does what the inbox asks, once per item, and comes back at once while its work makes the server order more: the command
 * for the next application goes out when the one before has acknowledged.
 */
export async function workInbox(parts: Parts): Promise<void> {
  const { state, api } = parts;
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const answer = await api.inbox(state.now.inboxEtag);
    if (answer === undefined) return;
    let isAllDone = true;
    let hasWorked = false;
    for (const item of answer.inbox.items) {
      if (state.now.done.includes(item.id)) continue;
      const isDone = await work(parts, item);
      isAllDone &&= isDone;
      hasWorked ||= isDone;
      if (isDone && !state.now.done.includes(item.id)) state.update(withDone(parts, item));
    }
    // An item that must wait is looked at again next time, so its inbox is not yet known.
    state.update({ inboxEtag: isAllDone ? answer.etag : undefined });
    if (!hasWorked) return;
    await flushFacts(parts);
  }
}

/** @returns false when the item has to wait for the content to be installed */
async function work(parts: Parts, item: InboxItem): Promise<boolean> {
  const content = parts.state.now.contents[item.contentId];
  switch (item.kind) {
    case 'process':
      return content?.stage === 'installed' ? processItem(parts, item) : false;
    case 'confirm':
      if (content?.stage === 'installed') confirm(parts, item.contentId, withDone(parts, item));
      return content?.stage === 'installed';
    case 'cancel':
      // What is installed stays: a cancel is about what is still on its way.
      if (isUnderWay(content)) giveUp(parts, item.contentId);
      return true;
  }
}

const withDone = ({ state }: Parts, { id }: InboxItem): Pick<AgentState, 'done'> => ({
  done: [...state.now.done, id].slice(-REMEMBERED),
});

/** Without a hook the file in its place is what there is to process. */
async function processItem(parts: Parts, item: Extract<InboxItem, { kind: 'process' }>): Promise<boolean> {
  const { contentId, campaignId, application } = item;
  const { state, hooks, store, log } = parts;
  const description = keptDescription(parts, contentId);
  let outcome: 'done' | 'failed' = 'done';
  try {
    await hooks.process?.(application, store.path(contentFile(contentId)), description);
  } catch (error) {
    outcome = 'failed';
    log.warn('processing.failed', {
      contentId,
      application,
      code: hookCode(error),
    });
  }
  const acknowledged = {
    type: 'ProcessingAcknowledged' as const,
    data: { contentId, campaignId, application, outcome, inboxId: item.id },
  };
  const processed = [...state.now.contents[contentId]!.processed, ...(outcome === 'done' ? [application] : [])];
  record(parts, acknowledged, { ...withDone(parts, item), ...state.withContent(contentId, { processed }) });
  if (outcome === 'done') confirmWhenProcessed(parts, contentId, description);
  return true;
}

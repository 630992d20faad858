import type { EventRecord } from '#event-log/index.js';
import type { CampaignEvent } from './events.js';

/** What an administrator can have told to another system. halted: by a rule; paused and aborted: by a person. */
export const NOTICE_KINDS = ['halted', 'paused', 'completed', 'aborted', 'approval-needed'] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** The body of a message: what happened, and nothing of devices or of who did it. How the campaign stands now the API says. */
export interface Notice {
  /** The event's: who has had it may drop it. */
  id: string;
  type: `campaign.${NoticeKind}`;
  tenant: string;
  campaignId: string;
  /** Absent when the campaign cannot be read. */
  name?: string;
  /** When it happened, RFC 3339. */
  at: string;
  reason?: string;
}

const KIND_OF: Partial<Record<CampaignEvent['type'], NoticeKind>> = {
  CampaignHalted: 'halted',
  CampaignPaused: 'paused',
  CampaignCompleted: 'completed',
  CampaignAborted: 'aborted',
  CampaignSubmitted: 'approval-needed',
};

/** @returns undefined for what nobody is told */
export const noticeKindOf = ({ type }: Pick<EventRecord, 'type'>): NoticeKind | undefined =>
  KIND_OF[type as CampaignEvent['type']];

/** @param name of the campaign, where it is known */
export function noticeOf(record: EventRecord, kind: NoticeKind, name: string | undefined): Notice {
  const reason = reasonOf(record as EventRecord<CampaignEvent>);
  return {
    id: record.id,
    type: `campaign.${kind}`,
    tenant: record.tenant,
    campaignId: record.subject,
    ...(name === undefined ? {} : { name }),
    at: record.occurredAt,
    ...(reason === undefined ? {} : { reason }),
  };
}

function reasonOf({ type, data }: EventRecord<CampaignEvent>): string | undefined {
  if (type !== 'CampaignHalted') return (data as { reason?: string }).reason;
  const { rule, count, responded } = data as Extract<CampaignEvent, { type: 'CampaignHalted' }>['data'];
  if (rule === null) return 'a wave did not come to what its gate asks for in time';
  return `stop rule ${rule.on}: ${count} of ${responded} devices`;
}

/** So long after it came up a notice is tried again, ms. */
export const LIFE_MS = 86_400_000;
const FIRST_DELAY_MS = 5_000;
const LONGEST_DELAY_MS = 3_600_000;

/**
 * When to try again after so many attempts: exponential back-off with full jitter, so that what failed together does not come
 * back together.
 * @param random from 0 to 1
 * @returns ms; null when it is given up
 */
export function nextTry(
  { attempts, queuedAt }: { attempts: number; queuedAt: number },
  now: number,
  random: number,
): number | null {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1));
  const at = now + Math.ceil(random * longest);
  return at < queuedAt + LIFE_MS ? at : null;
}

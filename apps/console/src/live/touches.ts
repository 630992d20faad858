import type { LogEvent } from '../api/wire.js';

/** First words of the query keys that an event makes stale. */
export type Key = readonly string[];

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Which reads an event concerns. Lists of devices are not among them: whoever scrolls a million rows keeps their place. */
export function touches({ topic, name, subject, data }: Pick<LogEvent, 'topic' | 'name' | 'subject' | 'data'>): Key[] {
  switch (topic) {
    case 'muster.campaign':
      return name.startsWith('Campaign') || name === 'WaveOpened'
        ? [['campaigns'], ['campaign', subject], ['progress', subject], ['events', subject]]
        : [['schema'], ['channels']];
    case 'muster.content':
      return [['contents']];
    case 'muster.handset':
      return [
        ['device', subject],
        ['timeline', subject],
      ];
    case 'muster.device': {
      if (name === 'PollsRecorded') return [['progress']];
      const campaignId = textOf((data as Record<string, unknown>).campaignId);
      const ofDevice: Key[] = [
        ['timeline', subject],
        ['explain', subject],
      ];
      return campaignId === undefined ? ofDevice : [['progress', campaignId], ...ofDevice];
    }
    case 'muster.audit':
      return [['people'], ['tokens'], ['review'], ['codes']];
    default:
      return [];
  }
}

/** Facts that somebody should look at: what the overview's feed shows. */
const TROUBLE: ReadonlySet<string> = new Set([
  'CampaignHalted',
  'CampaignAborted',
  'CampaignRejected',
  'ContentWithdrawn',
]);

export function isTrouble({ name, data }: Pick<LogEvent, 'name' | 'data'>): boolean {
  if (TROUBLE.has(name)) return true;
  const { outcome, reason } = data as Record<string, unknown>;
  if (name === 'InstallReported') return outcome === 'failed' || outcome === 'rolled-back';
  return name === 'ContentDeclined' && reason !== 'no-fit' && reason !== 'user';
}

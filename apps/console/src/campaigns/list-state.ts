import type { Campaign, CampaignStatus } from '../api/wire.js';
import { oneOf, textIn } from '../shell/search.js';

/** Which statuses a view shows; what is in none of them is shown by `all` alone. */
export const VIEWS = {
  all: undefined,
  running: ['running', 'draining'],
  attention: ['halted', 'paused', 'in-review', 'approved'],
  scheduled: ['scheduled'],
  draft: ['draft'],
  ended: ['completed', 'aborted'],
} as const satisfies Record<string, readonly CampaignStatus[] | undefined>;
export type View = keyof typeof VIEWS;
export const VIEW_NAMES = Object.keys(VIEWS) as View[];

/** The whole list as the address has it. */
export interface ListSearch {
  view?: View;
  q?: string;
  sort?: string;
}

export function listSearch(search: Record<string, unknown>): ListSearch {
  const { view, ...rest } = textIn(search, 'view', 'q', 'sort');
  const known = oneOf(VIEW_NAMES, view);
  return { ...rest, ...(known === undefined || known === 'all' ? {} : { view: known }) };
}

const isIn = (view: View, { status }: Campaign): boolean => {
  const statuses: readonly CampaignStatus[] | undefined = VIEWS[view];
  return statuses === undefined || statuses.includes(status);
};

export function shown(campaigns: readonly Campaign[], { view = 'all', q = '' }: ListSearch): Campaign[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return campaigns.filter((campaign) => {
    const text = `${campaign.name} ${campaign.channel} ${campaign.campaignId} ${campaign.status}`.toLowerCase();
    return isIn(view, campaign) && words.every((word) => text.includes(word));
  });
}

export const countOf = (campaigns: readonly Campaign[], view: View): number =>
  campaigns.filter((campaign) => isIn(view, campaign)).length;

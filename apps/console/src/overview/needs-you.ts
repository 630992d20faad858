import type { Campaign } from '../api/wire.js';
import type { Permission } from '../session/permissions.js';

/** What a campaign waits for. */
export type Need = 'toJudge' | 'toLaunch' | 'toLookAt';

/** Campaigns that go on only when the caller does something, what has stopped first. */
export function needsYou(
  campaigns: readonly Campaign[],
  may: (permission: Permission) => boolean,
  actor: string,
): { campaign: Campaign; what: Need }[] {
  const needOf = ({ status, authors, approvals }: Campaign): Need | undefined => {
    if (status === 'halted') return may('campaign:operate') ? 'toLookAt' : undefined;
    if (status === 'approved') return may('campaign:operate') ? 'toLaunch' : undefined;
    const isJudge = may('campaign:approve') && !authors.includes(actor) && !approvals.includes(actor);
    return status === 'in-review' && isJudge ? 'toJudge' : undefined;
  };
  const order: readonly Need[] = ['toLookAt', 'toJudge', 'toLaunch'];
  return campaigns
    .flatMap((campaign) => {
      const what = needOf(campaign);
      return what === undefined ? [] : [{ campaign, what }];
    })
    .sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what));
}

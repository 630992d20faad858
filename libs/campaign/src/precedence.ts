/** Classes of campaigns, the first before all others. */
export const CLASSES = ['urgent', 'normal', 'background'] as const;
export type CampaignClass = (typeof CLASSES)[number];

export interface Ranked {
  campaignId: string;
  class: CampaignClass;
  /** Weight in its class, 0 to 1,000. */
  priority: number;
  /** When it began, ms: what waits grows heavier. */
  startedAt: number;
}

/** So much a campaign gains a day: below another by 100, it is even after ten days. */
export const AGEING_PER_DAY = 10;
const DAY = 86_400_000;

/** The weight now: ageing lets nobody starve in its class, and lifts nobody above it. */
export const weightOf = ({ priority, startedAt }: Ranked, now: number): number =>
  priority + (Math.max(0, now - startedAt) / DAY) * AGEING_PER_DAY;

/** The order in which a device's campaigns are considered: class, weight with age, the older, the id. */
export const inOrder =
  (now: number) =>
  (a: Ranked, b: Ranked): number =>
    (a.class === b.class ? 0 : CLASSES.indexOf(a.class) - CLASSES.indexOf(b.class)) ||
    weightOf(b, now) - weightOf(a, now) ||
    a.startedAt - b.startedAt ||
    byText(a.campaignId, b.campaignId);

export const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

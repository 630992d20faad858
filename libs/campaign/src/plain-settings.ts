import { NO_CAPS } from './caps.js';
import type { CampaignSettings } from './event-types.js';
import { NO_TIMEOUTS } from './outcomes.js';

/** What a campaign that says nothing of it is: without waves, caps and stop rules. Also what one from before 2026-12 was. */
export const PLAIN_SETTINGS: Pick<
  CampaignSettings,
  'waves' | 'class' | 'caps' | 'stopRules' | 'timeouts' | 'conflictGroup'
> = { waves: [], class: 'normal', caps: NO_CAPS, stopRules: [], timeouts: NO_TIMEOUTS, conflictGroup: null };

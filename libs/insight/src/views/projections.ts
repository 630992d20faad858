import { campaignProgress } from './campaign-progress.js';
import { deviceTimeline } from './device-timeline.js';

/** The read models that a projection runner keeps. */
export const insightProjections = [campaignProgress, deviceTimeline];

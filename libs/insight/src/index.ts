/** The read side: read models as folds of the log, and what analysts see of them. The Nest part is nest/insight.module.ts. */
import { campaignProgress } from './views/campaign-progress.js';
import { deviceTimeline } from './views/device-timeline.js';

export { provisionAnalyst } from './analyst.js';
export { publishViews } from './analytics.js';
export { InsightError, type InsightErrorCode } from './errors.js';

/** The read models that a projection runner keeps. */
export const insightProjections = [campaignProgress, deviceTimeline];

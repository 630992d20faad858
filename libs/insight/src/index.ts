/** The read side: read models as folds of the log, and what analysts see of them. The Nest part is nest/insight.module.ts. */
export { provisionAnalyst } from './analyst.js';
export { publishViews } from './analytics.js';
export { InsightError, type InsightErrorCode } from './errors.js';
export { insightProjections } from './views/projections.js';

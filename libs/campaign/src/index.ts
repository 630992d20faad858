/** Campaigns: contents, campaigns, the catalogue, gates and grants. Pure; the Nest part is nest/campaign.module.ts. */
export { CampaignError, type CampaignErrorCode } from './errors.js';
export { campaignDecider, type CampaignCommand } from './decide.js';
export { type CampaignState, type CampaignStatus } from './campaign.js';
export { contentDecider, type ContentCommand, type ContentState } from './content.js';
export { EMPTY_SCHEMA, FIRST_RULES } from './vocabulary.js';
export { type PackedPolls, packPolls, type Poll, unpackPolls } from './polls.js';
export { CampaignAuditor } from './audit-campaigns.js';
export { CampaignRowsAuditor } from './audit-rows.js';

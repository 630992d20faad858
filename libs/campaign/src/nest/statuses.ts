import type { CampaignErrorCode } from '../errors.js';

/** HTTP statuses that the form of a code does not tell. */
export const STATUSES = {
  'campaign.not-draft': 409,
  'campaign.not-running': 409,
  'campaign.not-paused': 409,
  'campaign.closed': 409,
  'campaign.not-approved': 409,
  'campaign.not-closed': 409,
  'campaign.not-in-review': 409,
  'campaign.own': 403,
  'campaign.dry-run-busy': 429,
  'campaign.report-stale': 409,
  'campaign.halted': 409,
  'campaign.nothing-to-undo': 409,
  'campaign.undo-late': 409,
  'campaign.content-crowded': 409,
  'campaign.wave-narrower': 409,
  'content.withdrawn': 409,
  'upload.incomplete': 409,
  'upload.name': 400,
  'upload.size': 400,
  'upload.version': 412,
  'schema.not-next': 409,
  'rules.not-next': 409,
  'keys.passphrase': 403,
  'facts.unknown-type': 400,
  'grant.missing': 401,
  'grant.malformed': 401,
  'grant.expired': 401,
  'grant.foreign': 403,
  'grant.revoked': 403,
  'range.unsatisfiable': 416,
} satisfies Partial<Record<CampaignErrorCode, number>>;

export const CHALLENGES = {
  'grant.missing': 'Grant',
  'grant.malformed': 'Grant',
  'grant.expired': 'Grant',
} satisfies Partial<Record<CampaignErrorCode, string>>;

import { DomainError, type FieldError } from '#runtime/index.js';

export type CampaignErrorCode =
  | 'campaign.unknown'
  | 'campaign.exists'
  | 'campaign.not-draft'
  | 'campaign.not-running'
  | 'campaign.not-paused'
  | 'campaign.closed'
  | 'campaign.not-approved'
  | 'campaign.not-closed'
  | 'campaign.not-in-review'
  | 'campaign.own'
  | 'campaign.dry-run-busy'
  | 'campaign.report-stale'
  | 'campaign.halted'
  | 'campaign.reason-missing'
  | 'campaign.nothing-to-undo'
  | 'campaign.undo-late'
  | 'campaign.waves'
  | 'campaign.caps'
  | 'campaign.window-shut'
  | 'campaign.without-content'
  | 'campaign.content-crowded'
  | 'campaign.window-empty'
  | 'campaign.wave-narrower'
  | 'content.unknown'
  | 'content.exists'
  | 'content.withdrawn'
  | 'content.attribute'
  | 'upload.unknown'
  | 'upload.incomplete'
  | 'upload.digest'
  | 'upload.name'
  | 'upload.size'
  | 'upload.protocol'
  | 'upload.version'
  | 'upload.unavailable'
  | 'schema.not-next'
  | 'rules.not-next'
  | 'wake.unknown'
  | 'wake.url'
  | 'webhook.unknown'
  | 'webhook.url'
  | 'webhook.too-many'
  | 'channel.unknown'
  | 'channel.exists'
  | 'keys.passphrase'
  | 'keys.role'
  | 'facts.unknown-type'
  | 'facts.malformed'
  | 'facts.too-many'
  | 'offer.unknown'
  | 'device.unknown'
  | 'explain.busy'
  | 'audience.busy'
  | 'audience.than'
  | 'explain.unavailable'
  | 'tuf.not-found'
  | 'grant.missing'
  | 'grant.malformed'
  | 'grant.expired'
  | 'grant.foreign'
  | 'grant.revoked'
  | 'range.unsatisfiable'
  | 'ddi.malformed'
  | 'ddi.attribute'
  | 'ddi.unknown'
  | 'ddi.gone'
  | 'ddi.not-cancelable'
  | 'ddi.auto-confirmed'
  | 'ddi.precondition'
  | 'ddi.busy'
  | 'ddi.held'
  | 'ddi.too-many';

/** A refused command or request of this room. Nothing was changed. */
export class CampaignError extends DomainError<CampaignErrorCode> {
  override readonly name = 'CampaignError';
}

/** A refusal of a command to one campaign, for what it is. */
export const refused = (code: CampaignErrorCode, campaignId: string, message: string): CampaignError =>
  new CampaignError(code, { campaignId }, message);

/** A refusal that names one field of the input by its JSON pointer. */
export function refusal(code: CampaignErrorCode, pointer: string, message: string): CampaignError {
  const fields: FieldError[] = [{ pointer, message }];
  return new CampaignError(code, {}, message, fields);
}

import type { CampaignEvent, CatalogueEvent } from '#campaign/events.js';
import type { ObservedEvent } from './observed.js';

/** What a line of the timeline says: words for people, ids and one code for programs. None is personal but `label`. */
export interface Told {
  text: string;
  campaignId?: string;
  contentId?: string;
  /** The reason, gate, outcome, rule or key that the event names. */
  code?: string;
  /** A handset's label, which may name its owner: nulled when the device is forgotten. */
  label?: string | null;
}

/** Events with a line of their own: those whose subject is one device. */
type DeviceEvent = Exclude<ObservedEvent, CampaignEvent | CatalogueEvent | { type: 'PollsRecorded' }>;
type Lines = { [E in DeviceEvent as E['type']]: (data: E['data']) => Told };

interface Offer {
  campaignId: string;
  contentId: string;
}
/** A line about one content of a campaign. */
const ofOffer = ({ campaignId, contentId }: Offer, text: string, code?: string): Told => ({
  text,
  campaignId,
  contentId,
  code,
});
/** Enough of a key's or content's hash to tell it from another. */
const short = (hash: string): string => hash.slice(0, 12);

/** The line of each event; one that is missing does not compile. */
const LINES: Lines = {
  HandsetEnrolled: ({ deviceNo, channel, keyHash, label }) => ({
    text: `enrolled as number ${deviceNo} in channel ${channel}`,
    code: short(keyHash),
    label,
  }),
  HandsetRenewed: ({ expiresAt, keyHash }) => ({
    text: `certificate renewed until ${expiresAt}`,
    code: short(keyHash),
  }),
  HandsetReplaced: ({ keyHash }) => ({ text: 'replaced by a handset that keeps the id', code: short(keyHash) }),
  HandsetRevoked: ({ reason, keyHash }) => ({ text: `key revoked: ${reason}`, code: short(keyHash) }),
  RulesDelivered: ({ channel, version }) => ({ text: `got rules version ${version} of channel ${channel}` }),
  AttributesKept: ({ schemaVersion }) => ({ text: `attributes kept of it changed, by schema ${schemaVersion}` }),
  SubjectForgotten: () => ({ text: 'forgotten: its personal data can be read no more' }),

  TriggerFired: ({ rule, on }) => ({ text: `woke by rule ${rule}, on ${on}`, code: rule }),
  AvailabilityRequested: ({ rule }) => ({ text: `asked what there is, by rule ${rule}`, code: rule }),
  DescriptionsSent: ({ snapshotVersion, digest }) => ({
    text: `got the descriptions of snapshot ${snapshotVersion}`,
    code: digest,
  }),
  CatalogueRefused: ({ code }) => ({ text: 'refused the catalogue', code }),

  ContentMatched: (data) => ofOffer(data, 'found that the content fits'),
  ContentRequested: (data) => ofOffer(data, 'asked for the content'),
  ContentDeclined: (data) => ofOffer(data, `declined: ${data.reason}`, data.reason),
  HandsetDescribed: ({ schemaVersion }) => ({ text: `told what it is, by schema ${schemaVersion}` }),
  OfferMade: (data) => ofOffer(data, data.isInline ? 'found to fit: sent with the answer' : 'found to fit: granted'),
  OfferWithheld: (data) => ofOffer(data, `held back by gate ${data.gate}`, data.gate),
  GrantIssued: (data) => ofOffer(data, `granted until ${data.expiresAt}`),
  TransferStarted: (data) => ofOffer(data, 'download started'),
  TransferResumed: (data) => ofOffer(data, `download resumed at byte ${data.fromByte}`),
  TransferCompleted: (data) => ofOffer(data, `download complete: ${data.bytes} bytes`, short(data.sha256)),
  WakeSent: ({ campaignId, channel }) => ({
    text: `woken: a message went to the target of channel ${channel}`,
    campaignId,
  }),
  ProcessingOrdered: (data) => ofOffer(data, `application ${data.application} told to process it`, data.application),
  ProcessingAcknowledged: (data) =>
    ofOffer(data, `application ${data.application} is ${data.outcome}`, data.application),
  InstallReported: (data) => ofOffer(data, `install: ${data.outcome}`, data.code ?? data.outcome),
  OutcomeConfirmed: (data) => ofOffer(data, `outcome: ${data.outcome}`, data.outcome),
};

/** @returns undefined for an event that is not about one device, or that this version does not know */
export function tell(type: string, data: object): Told | undefined {
  const line = Object.hasOwn(LINES, type) ? (LINES[type as keyof Lines] as (data: object) => Told) : undefined;
  return line?.(data);
}

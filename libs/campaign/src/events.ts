import type { ContentDescription, DeclineReason, Gate, WeeklyWindow } from '#device-protocol/index.js';

/** `muster.content`: one stream per content. */
export type ContentEvent =
  | {
      type: 'ContentPublished';
      data: { contentId: string; description: ContentDescription; selector: string; sha256: string; sizeBytes: number };
    }
  | { type: 'ContentWithdrawn'; data: { contentId: string; reason: string } };

/** A campaign's settings; a draft may be edited, a running one may not. */
export interface CampaignSettings {
  name: string;
  channel: string;
  contents: readonly string[];
  mode: 'device' | 'server' | 'either';
  /** CEL of the campaign's own, `true` when it narrows nothing. */
  selector: string;
  start: string | null;
  end: string | null;
  windows: readonly WeeklyWindow[];
  waveUpTo: number;
  holdOut: number;
  salt: string;
  priority: number;
}

/** `muster.campaign`: what has happened to one campaign, and to the tenant's schemas, rules and catalogues (streams of their own). */
export type CampaignEvent =
  | { type: 'CampaignDrafted'; data: { campaignId: string } & CampaignSettings }
  | { type: 'CampaignEdited'; data: { campaignId: string } & CampaignSettings }
  | { type: 'CampaignScheduled'; data: { campaignId: string; start: string; end: string | null } }
  | { type: 'CampaignStarted'; data: { campaignId: string } }
  | { type: 'WaveOpened'; data: { campaignId: string; waveUpTo: number } }
  | { type: 'CampaignPaused'; data: { campaignId: string; kind: 'soft' | 'hard'; reason: string } }
  | { type: 'CampaignResumed'; data: { campaignId: string } }
  | { type: 'CampaignCompleted'; data: { campaignId: string; reason: string } }
  | { type: 'CampaignAborted'; data: { campaignId: string; disposition: 'keep' | 'recall'; reason: string } };

/** Stream `schema`, `rules:<channel>` and `catalogue:<channel>` of a tenant, on `muster.campaign`. */
export type CatalogueEvent =
  | { type: 'AttributeSchemaPublished'; data: { version: number; schema: object } }
  | { type: 'RuleSetPublished'; data: { channel: string; version: number; rules: object } }
  | {
      type: 'CataloguePublished';
      data: {
        channel: string;
        /** Snapshot version. */
        version: number;
        /** First 6 bytes of sha-256 over the described data, hex: what a poll names (PollsRecorded). */
        digest: string;
        /** Campaigns whose offers this snapshot holds. */
        campaigns: readonly string[];
      };
    };

/** Server-made facts on `muster.device`; `subject` is the device, except PollsRecorded (subject `polls`). */
export type DeviceFactByServer =
  /** One batch per (tenant, partition); `columns` packs deviceNo, ms delta, rule number, answer and 6-byte digest, see polls.ts. */
  | {
      type: 'PollsRecorded';
      data: {
        partition: number;
        channel: string;
        from: string;
        count: number;
        rules: readonly string[];
        columns: string;
      };
    }
  | { type: 'DescriptionsSent'; data: { channel: string; snapshotVersion: number; digest: string } }
  | { type: 'ContentRequested'; data: { contentId: string; campaignId: string; snapshotVersion: number } }
  | {
      type: 'ContentDeclined';
      data: { contentId: string; campaignId: string; reason: DeclineReason; snapshotVersion: number };
    }
  | { type: 'GrantIssued'; data: { contentId: string; campaignId: string; jti: string; expiresAt: string } }
  | { type: 'OfferWithheld'; data: { contentId: string; campaignId: string; gate: Gate } }
  | {
      type: 'ProcessingOrdered';
      data: { contentId: string; campaignId: string; application: string; order: number; inboxId: string };
    };

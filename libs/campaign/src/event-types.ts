import type { AttributeValue, ContentDescription, DeclineReason, Gate, WeeklyWindow } from '#device-protocol/index.js';
import type { Caps } from './caps.js';
import type { Outcome, Tally, Timeouts } from './outcomes.js';
import type { CampaignClass } from './precedence.js';
import type { StopRule } from './stop-rules.js';
import type { Wave } from './waves.js';

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
  /** Where it stands: the bound of the wave that is open. */
  waveUpTo: number;
  /** In the order of their opening; none: waves are opened by hand. */
  waves: readonly Wave[];
  holdOut: number;
  salt: string;
  class: CampaignClass;
  /** Weight in its class. */
  priority: number;
  caps: Caps;
  stopRules: readonly StopRule[];
  timeouts: Timeouts;
  /** Of the campaigns of one group a device has one at a time. */
  conflictGroup: string | null;
  /** The user of a hawkBit client is asked first. Absent: not, and before 2026-12. */
  confirmation?: boolean;
}

/** What a step changes, and what undoing it brings back. */
export interface Standing {
  status: CampaignStatus;
  /** How it is paused: soft stops new grants, hard also the ranges of running transfers. */
  pause: 'soft' | 'hard' | null;
  /** Aborted with recall: what was granted is taken back. */
  recalled: boolean;
  start: string | null;
  end: string | null;
  waveUpTo: number;
  waveOpenedAt: string | null;
}

export type CampaignStatus =
  | 'none'
  | 'draft'
  | 'in-review'
  | 'approved'
  | 'scheduled'
  | 'running'
  | 'paused'
  | 'halted'
  | 'draining'
  | 'completed'
  | 'aborted';

/** The campaign whose devices are tried again, by what became of them. */
export interface RetriedCampaign {
  campaignId: string;
  outcomes: readonly Outcome[];
}

/** What a dry run came to; null: not knowable, because the devices compare. Counts only. */
export interface DryRunSummary {
  digest: string;
  /** Encoded: where the log ended. */
  position: string;
  /** So many it was to cover; absent in events of before. */
  days?: number;
  /** What it covered. */
  from: string;
  until: string;
  isPartial: boolean;
  isKnowable: boolean;
  polls: number;
  devices: number;
  fits: number | null;
  served: number | null;
  starved: number | null;
  bytes: number | null;
  peakBytesPerHour: number | null;
  /** Campaigns that it meets at devices. */
  rivals: number | null;
}

/** A person's step: who and when. Absent where nobody did it, and before 2026-12. */
interface Stepped {
  campaignId: string;
  by?: string;
  at?: string;
}

/** `muster.campaign`: what has happened to one campaign, and to the tenant's schemas, rules and catalogues (streams of their own). */
export type CampaignEvent =
  | {
      type: 'CampaignDrafted';
      data: { campaignId: string; by: string | null; parent: RetriedCampaign | null } & CampaignSettings;
    }
  | { type: 'CampaignEdited'; data: { campaignId: string; by: string | null } & CampaignSettings }
  /** `required` people have to approve; `report`: digest of the dry run that they are shown, `summary`: what it came to. */
  | {
      type: 'CampaignSubmitted';
      data: { campaignId: string; by: string; required: number; report: string | null; summary?: DryRunSummary };
    }
  /** `remaining`: how many still have to. */
  | { type: 'CampaignApproved'; data: { campaignId: string; by: string; remark: string; remaining: number } }
  | { type: 'CampaignRejected'; data: { campaignId: string; by: string; reason: string } }
  | { type: 'CampaignScheduled'; data: Stepped & { start: string; end: string | null } }
  | { type: 'CampaignStarted'; data: Stepped }
  | { type: 'WaveOpened'; data: Stepped & { waveUpTo: number } }
  | { type: 'CampaignPaused'; data: Stepped & { kind: 'soft' | 'hard'; reason: string } }
  | { type: 'CampaignResumed'; data: Stepped & { reason?: string } }
  /** By a stop rule, or by a wave that did not come to what its gate wants in time: a person has to look. */
  | {
      type: 'CampaignHalted';
      data: {
        campaignId: string;
        cause: 'stop-rule' | 'wave-timeout';
        rule: StopRule | null;
        count: number;
        responded: number;
        /** Of all its devices, then. */
        tally: Tally;
      };
    }
  /** No new offers; what is under way goes on until it ends or its time is over. */
  | { type: 'CampaignEnded'; data: Stepped & { reason: string } }
  | { type: 'CampaignCompleted'; data: Stepped & { reason: string } }
  | { type: 'CampaignAborted'; data: Stepped & { disposition: 'keep' | 'recall'; reason: string } }
  /** The last step, taken back in its grace time: the campaign stands as it did before. */
  | { type: 'CampaignStepUndone'; data: { campaignId: string; by: string; step: string; reason: string } & Standing };

/** Stream `schema`, `review`, `caps`, `rules:<channel>`, `catalogue:<channel>` and `selection:<channel>` of a tenant, on `muster.campaign`. */
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
    }
  /** How many people, other than its authors, have to approve a campaign before it is scheduled; 0 = none. */
  | { type: 'ReviewPolicySet'; data: { approvals: number } }
  /** What all campaigns together may take of the network. */
  | { type: 'NetworkCapsSet'; data: Caps }
  | {
      /** What the server selects from for devices that tell what they are; its digest is what their polls name. */
      type: 'SelectionChanged';
      data: { channel: string; digest: string; campaigns: readonly string[] };
    };

/** Personal: `null` to readers once the device is forgotten. */
export type DeviceAttributes = Readonly<Record<string, AttributeValue>>;

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
  /** Server-side matching: what the device told of itself, when it differs from what it told before. The one event with attributes. */
  | {
      type: 'HandsetDescribed';
      data: { schemaVersion: number; zone: string | null; attributes: DeviceAttributes | null };
    }
  /** Server-side matching: it fits and was transmitted; `isInline`: with the answer itself. */
  | { type: 'OfferMade'; data: { contentId: string; campaignId: string; isInline: boolean } }
  /** It was not heard of, and a message went to its channel's wake target. Whether it came to the device only its next poll tells. */
  | { type: 'WakeSent'; data: { campaignId: string; channel: string } }
  | {
      type: 'ProcessingOrdered';
      data: { contentId: string; campaignId: string; application: string; order: number; inboxId: string };
    };

import { type CampaignEvent, type Standing, unpackPolls } from '#campaign/events.js';
import type { Gate } from '#device-protocol/index.js';
import type { EventRecord } from '#event-log/index.js';
import { instant } from '#runtime/index.js';
import { type Observed, observed } from './observed.js';
import { Fold, seqOf } from './rows.js';

/** As the campaign's own, `none` apart. */
export type CampaignStatus = Exclude<Standing['status'], 'none'>;

/** What a campaign is; `null` = this batch says nothing of it. */
export interface CampaignRow {
  tenant: string;
  campaignId: string;
  name: string | null;
  channel: string | null;
  status: CampaignStatus | null;
  changedAt: string;
  seq: string;
}

/** Why a device is not going on with a content: its last word, or the gate that holds. */
export type DropKind = 'declined' | 'withheld' | 'failed';

/** How far one device came with one content of a campaign. Instants are when the server learned it. */
export interface DeviceRow {
  tenant: string;
  campaignId: string;
  contentId: string;
  deviceId: string;
  matchedAt: string | null;
  requestedAt: string | null;
  transferredAt: string | null;
  installedAt: string | null;
  confirmedAt: string | null;
  dropKind: DropKind | null;
  dropReason: string | null;
  changedAt: string;
  seq: string;
}

/** A device was answered with the snapshot of this digest, or from the selection of this digest. */
export interface PollRow {
  tenant: string;
  digest: string;
  deviceNo: number;
  firstAt: string;
}

/** The same, told by the agent itself, when a cache stands between it and the server. */
export interface AvailabilityRow {
  tenant: string;
  deviceId: string;
  snapshotVersion: number;
  firstAt: string;
}

export interface SnapshotRow {
  tenant: string;
  channel: string;
  version: number;
  digest: string;
}
export interface DescribedRow {
  tenant: string;
  digest: string;
  campaignId: string;
}
export interface HandsetRow {
  tenant: string;
  deviceNo: number;
  deviceId: string;
  channel: string;
}

/** What one batch adds to the read model, each row once. */
export class ProgressFold {
  readonly campaigns = new Fold<CampaignRow>((row) => [row.tenant, row.campaignId]);
  readonly devices = new Fold<DeviceRow>((row) => [row.tenant, row.campaignId, row.contentId, row.deviceId]);
  readonly polls = new Fold<PollRow>((row) => [row.tenant, row.digest, row.deviceNo]);
  readonly availability = new Fold<AvailabilityRow>((row) => [row.tenant, row.deviceId, row.snapshotVersion]);
  readonly snapshots = new Fold<SnapshotRow>((row) => [row.tenant, row.channel, row.version]);
  readonly described = new Fold<DescribedRow>((row) => [row.tenant, row.digest, row.campaignId]);
  readonly handsets = new Fold<HandsetRow>((row) => [row.tenant, row.deviceNo]);

  /** Folds records in the order given; within a partition that must be the log's. */
  static of(batch: readonly EventRecord[]): ProgressFold {
    const fold = new ProgressFold();
    for (const record of batch) {
      const event = observed(record);
      fold.campaign(event);
      fold.device(event);
      fold.poll(event);
    }
    return fold;
  }

  private campaign(event: Observed): void {
    const status = statusAfter(event);
    if (status === undefined) return;
    const settings = event.type === 'CampaignDrafted' || event.type === 'CampaignEdited' ? event.data : undefined;
    const row: CampaignRow = {
      tenant: event.tenant,
      campaignId: event.subject,
      name: settings?.name ?? null,
      channel: settings?.channel ?? null,
      status,
      changedAt: event.receivedAt,
      seq: seqOf(event),
    };
    this.campaigns.put(row, (older, newer) => ({
      ...newer,
      name: newer.name ?? older.name,
      channel: newer.channel ?? older.channel,
      status: newer.status ?? older.status,
    }));
  }

  private device(event: Observed): void {
    const told = stepOf(event);
    if (told === undefined) return;
    const row: DeviceRow = {
      ...NO_STEP,
      ...told,
      tenant: event.tenant,
      deviceId: event.subject,
      changedAt: event.receivedAt,
      seq: seqOf(event),
    };
    this.devices.put(row, mergeSteps);
  }

  private poll(event: Observed): void {
    const { tenant } = event;
    switch (event.type) {
      case 'HandsetEnrolled': {
        const { deviceId, deviceNo, channel } = event.data;
        return this.handsets.put({ tenant, deviceNo, deviceId, channel });
      }
      case 'CataloguePublished': {
        const { channel, version, digest, campaigns } = event.data;
        this.snapshots.put({ tenant, channel, version, digest });
        for (const campaignId of campaigns) this.described.put({ tenant, digest, campaignId });
        return;
      }
      case 'SelectionChanged': {
        const { digest, campaigns } = event.data;
        for (const campaignId of campaigns) this.described.put({ tenant, digest, campaignId });
        return;
      }
      case 'AvailabilityRequested': {
        const { snapshotVersion } = event.data;
        return this.availability.put({ tenant, deviceId: event.subject, snapshotVersion, firstAt: event.receivedAt });
      }
      case 'PollsRecorded': {
        for (const { deviceNo, at, digest } of unpackPolls(event.data)) {
          this.polls.put({ tenant, digest, deviceNo, firstAt: instant(at) }, (older, newer) =>
            older.firstAt <= newer.firstAt ? older : newer,
          );
        }
        return;
      }
      default:
    }
  }
}

/** What a campaign is after each event of its own; null: as before, or as the event itself says. One that is missing does not compile. */
const STATUS_AFTER = {
  CampaignDrafted: 'draft',
  CampaignEdited: 'draft',
  CampaignSubmitted: 'in-review',
  CampaignApproved: null,
  CampaignRejected: 'draft',
  CampaignScheduled: 'scheduled',
  CampaignStarted: 'running',
  WaveOpened: null,
  CampaignPaused: 'paused',
  CampaignResumed: 'running',
  CampaignHalted: 'halted',
  CampaignEnded: 'draining',
  CampaignCompleted: 'completed',
  CampaignAborted: 'aborted',
  CampaignStepUndone: null,
} satisfies Record<CampaignEvent['type'], CampaignStatus | null>;

/** @returns undefined: the event is not about a campaign's state; null: it is, and leaves the status as it was */
function statusAfter(event: Observed): CampaignStatus | null | undefined {
  if (event.type === 'CampaignApproved') return event.data.remaining === 0 ? 'approved' : null;
  if (event.type === 'CampaignStepUndone') return event.data.status === 'none' ? null : event.data.status;
  return Object.hasOwn(STATUS_AFTER, event.type) ? STATUS_AFTER[event.type as CampaignEvent['type']] : undefined;
}

type Step = Pick<DeviceRow, 'campaignId' | 'contentId'> & Partial<DeviceRow>;
/** Every fact without a drop of its own says that the device goes on, so what held it before holds no longer. */
const NO_STEP = {
  matchedAt: null,
  requestedAt: null,
  transferredAt: null,
  installedAt: null,
  confirmedAt: null,
  dropKind: null,
  dropReason: null,
};
const dropped = (dropKind: DropKind, dropReason: string) => ({ dropKind, dropReason });

/** Which step of the funnel a fact is. Design §4: matched = requested, or declined with any reason but no-fit. */
function stepOf(event: Observed): Step | undefined {
  const at = event.receivedAt;
  switch (event.type) {
    case 'ContentRequested':
    case 'OfferMade': // the availability request of server-side matching asks for whatever fits
      return { ...offerOf(event.data), matchedAt: at, requestedAt: at };
    case 'ContentDeclined': {
      const { reason } = event.data;
      return { ...offerOf(event.data), ...dropped('declined', reason), matchedAt: reason === 'no-fit' ? null : at };
    }
    case 'OfferWithheld':
      return { ...offerOf(event.data), ...withheld(event.data.gate, at) };
    case 'GrantIssued':
    case 'TransferStarted':
    case 'TransferResumed':
      return { ...offerOf(event.data) };
    case 'TransferCompleted':
      return { ...offerOf(event.data), transferredAt: at };
    case 'InstallReported':
      return event.data.outcome === 'installed'
        ? { ...offerOf(event.data), installedAt: at }
        : { ...offerOf(event.data), ...dropped('failed', 'install-failed') };
    case 'OutcomeConfirmed':
      return event.data.outcome === 'confirmed'
        ? { ...offerOf(event.data), confirmedAt: at }
        : { ...offerOf(event.data), ...dropped('failed', 'rolled-back') };
    default:
      return undefined;
  }
}

/** The answer to a request, which is not recorded beside it. What was never offered cannot have matched. */
const withheld = (gate: Gate, at: string) => ({
  ...(gate === 'not-offered' ? {} : { matchedAt: at, requestedAt: at }),
  ...dropped('withheld', gate),
});

const offerOf = ({ campaignId, contentId }: { campaignId: string; contentId: string }) => ({ campaignId, contentId });

/** First instant of each step, last word on the drop: a device's facts share a partition, so they come in order. */
const mergeSteps = (older: DeviceRow, newer: DeviceRow): DeviceRow => ({
  ...newer,
  matchedAt: older.matchedAt ?? newer.matchedAt,
  requestedAt: older.requestedAt ?? newer.requestedAt,
  transferredAt: older.transferredAt ?? newer.transferredAt,
  installedAt: older.installedAt ?? newer.installedAt,
  confirmedAt: older.confirmedAt ?? newer.confirmedAt,
});

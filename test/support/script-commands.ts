import type { DeviceFactByServer } from '#campaign/events.js';
import type { CampaignCommand } from '#campaign/index.js';
import { DECLINE_REASONS, GATES } from '#device-protocol/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import type { HandsetCommand } from '#identity/testing.js';
import { instant } from '#runtime/index.js';
import type { Said } from './command-script.js';

export const TENANTS = ['acme', 'globex'] as const;
export const CHANNELS = ['main', 'lab'] as const;
export const DIGESTS = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'cccccccccccc'] as const;
const EXPIRY = '2027-11-24T08:00:00.000Z';

export const pick = <T>(values: readonly T[], n: number): T => values[n % values.length]!;
/** Both tenants have the same ids: rows that forget their tenant meet. */
export const idOf = (kind: 'campaign' | 'content' | 'device', n: number): string =>
  `01890a5d-ac96-7000-8000-${kind.length}${String(n).padStart(11, '0')}`;
const keyHash = (device: number, n: number): string => `${device}${n % 3}`.padStart(64, 'f');
/** Personal: in no row once the device is forgotten. */
export const LABEL = 'label of';
export const labelOf = (tenant: string, device: number): string => `${LABEL} ${tenant} ${device}`;

export interface CampaignOrder {
  type: CampaignCommand['type'];
  campaignId: string;
  twist: number;
  now: number;
  around: Extract<CampaignCommand, { type: 'DraftCampaign' }>['around'];
}

/** The command that a step stands for; what it does not ask for it does not look at. */
export function campaignCommand({ type, campaignId, twist, now, around }: CampaignOrder): CampaignCommand {
  const data = { campaignId, ...DATA[type](twist, now) };
  return { type, data, around, by: `person:${twist % 3}`, now, underWay: twist % 2 } as unknown as CampaignCommand;
}

/** What each command says besides its campaign; one that is missing does not compile. */
const DATA: Record<CampaignCommand['type'], (twist: number, now: number) => object> = {
  DraftCampaign: (twist, now) => settings(twist, now),
  EditCampaign: (twist, now) => settings(twist, now),
  SubmitCampaign: () => ({}),
  ApproveCampaign: () => ({ remark: '' }),
  RejectCampaign: (twist) => because(twist),
  ScheduleCampaign: () => ({}),
  StartCampaign: () => ({}),
  OpenWave: (twist) => ({ waveUpTo: 800 * twist }),
  PauseCampaign: (twist) => ({ kind: pick(['soft', 'hard'] as const, twist), ...because(twist) }),
  HaltCampaign: (twist) => ({
    cause: 'stop-rule',
    fired: { rule: { on: 'failed', share: 0.1, minimum: twist }, count: twist, responded: 2 * twist },
  }),
  ResumeCampaign: (twist) => because(twist),
  CompleteCampaign: (twist) => because(twist),
  AbortCampaign: (twist) => ({ disposition: pick(['keep', 'recall'] as const, twist), ...because(twist) }),
  UndoStep: (twist) => because(twist),
};
const because = (twist: number) => ({ reason: `reason ${twist}` });

const settings = (twist: number, now: number) => ({
  name: `campaign ${twist}`,
  channel: pick(CHANNELS, twist),
  contents: [idOf('content', twist % 2)],
  mode: pick(['device', 'server', 'either'] as const, twist),
  selector: 'true',
  start: twist % 3 === 2 ? instant(now + 20_000) : null,
  ...{ end: null, windows: [], waveUpTo: 500 * (twist % 4), waves: [], holdOut: 100, salt: 's', priority: twist },
  class: pick(['urgent', 'normal', 'background'] as const, twist),
  caps: { transfers: null, bytesPerSecond: null, bytesPerDay: null },
  stopRules: [],
  timeouts: { transferMinutes: null, confirmMinutes: null },
  conflictGroup: null,
});

export function handsetCommand(
  type: Exclude<HandsetCommand['type'], 'ForgetHandset'>,
  tenant: string,
  device: number,
  twist: number,
): HandsetCommand {
  const deviceId = idOf('device', device);
  const channel = pick(CHANNELS, device);
  const key = { keyHash: keyHash(device, twist), expiresAt: EXPIRY };
  switch (type) {
    case 'EnrolHandset':
      return { type, data: { deviceId, deviceNo: device, channel, ...key, label: labelOf(tenant, device) } };
    case 'RenewHandset':
      return { type, data: { deviceId, presentedKeyHash: keyHash(device, twist + 2), ...key } };
    case 'ReplaceHandset':
      return { type, data: { deviceId, ...key } };
    case 'DeliverRules':
      return { type, data: { deviceId, channel, version: twist } };
    case 'KeepAttributes': {
      const changes = { tariff: twist % 2 === 0 ? null : `tariff ${twist}` };
      return { type, data: { deviceId, schemaVersion: 1, at: EXPIRY, changes } };
    }
    case 'RevokeHandset':
      return { type, data: { deviceId, reason: `reason ${twist}` } };
  }
}

export interface Offer {
  campaignId: string;
  contentId: string;
}

/** What a device says of itself. */
export function told({ what }: Said, offer: Offer, twist: number): DeviceFactByHandset {
  const timer = { rule: 'timer', version: 1 };
  const processed = { application: 'a0', inboxId: idOf('device', twist) };
  return pick<DeviceFactByHandset>(
    [
      { type: 'TriggerFired', data: { ...timer, on: 'timer' } },
      { type: 'AvailabilityRequested', data: { ...timer, snapshotVersion: twist } },
      { type: 'ContentMatched', data: { ...offer, snapshotVersion: twist } },
      { type: 'TransferStarted', data: offer },
      { type: 'TransferResumed', data: { ...offer, fromByte: twist } },
      { type: 'TransferCompleted', data: { ...offer, bytes: twist, sha256: '5e'.repeat(32) } },
      { type: 'ProcessingAcknowledged', data: { ...offer, ...processed, outcome: 'done' } },
      { type: 'InstallReported', data: { ...offer, outcome: pick(['installed', 'failed'] as const, twist) } },
      { type: 'OutcomeConfirmed', data: { ...offer, outcome: pick(['confirmed', 'rolled-back'] as const, twist) } },
      { type: 'CatalogueRefused', data: { code: 'tuf.expired' } },
    ],
    what,
  );
}

/** What the server says of a device. */
export function answered({ what }: Said, offer: Offer, twist: number): DeviceFactByServer {
  const snapshotVersion = twist;
  return pick<DeviceFactByServer>(
    [
      { type: 'DescriptionsSent', data: { channel: 'main', snapshotVersion, digest: pick(DIGESTS, twist) } },
      { type: 'ContentRequested', data: { ...offer, snapshotVersion } },
      { type: 'ContentDeclined', data: { ...offer, reason: pick(DECLINE_REASONS, twist), snapshotVersion } },
      { type: 'OfferWithheld', data: { ...offer, gate: pick(GATES, twist) } },
      { type: 'OfferMade', data: { ...offer, isInline: twist % 2 === 0 } },
      {
        type: 'HandsetDescribed',
        data: { schemaVersion: twist, zone: 'UTC', attributes: { model: `model ${twist}` } },
      },
      { type: 'GrantIssued', data: { ...offer, jti: idOf('device', twist), expiresAt: EXPIRY } },
      {
        type: 'ProcessingOrdered',
        data: { ...offer, application: 'a0', order: twist, inboxId: idOf('device', twist) },
      },
    ],
    what,
  );
}

import { type Attributes, BUCKETS, checkAttributes, checkSchema, DEVICE_ZONE } from '#matching/index.js';
import type { TenantBoard } from './board.js';
import { NO_CAPS } from './caps.js';
import type { CampaignSettings } from './events.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import { TICK_MS, uniform } from './simulated-devices.js';
import { type Order, POLL_TICKS, type SimulatedCampaign, type VirtualDevice } from './simulation.js';

/** A Monday at midnight. */
export const BEGIN = Date.parse('2026-11-30T00:00:00.000Z');
export const DAYS = 3;
const DAY = 86_400_000;
/** Tick of a withdrawal. */
export const WITHDRAWN_AT = 24;
export const CONTENT_BYTES = 1_000_000;

const SCHEMA = checkSchema({
  version: 1,
  attributes: { model: { type: 'string' }, free: { type: 'int' }, roaming: { type: 'bool' } },
});

/** All that a device can be; of some there is no `free`. */
const TRAITS: readonly Attributes[] = Array.from({ length: 60 }, (_, i) =>
  checkAttributes(SCHEMA, {
    model: `m${i % 5}`,
    roaming: i % 3 === 0,
    ...(i % 12 === 11 ? {} : { free: Math.floor(i / 5) * 100 }),
  }),
);

/** Who it is follows from its number, so that a million of them are nowhere kept. */
export function deviceOf(no: number): VirtualDevice {
  const isOnDevice = no % 10 === 7;
  return {
    no,
    deviceId: `01890a5d-ac96-774b-8000-${no.toString(16).padStart(12, '0')}`,
    channel: no % 20 === 3 ? 'beta' : 'main',
    side: isOnDevice ? 'device' : 'server',
    zone: no % 3 === 0 ? 'Asia/Tokyo' : 'UTC',
    attributes: TRAITS[Math.floor(uniform(no, 99) * TRAITS.length)]!,
    isCurious: isOnDevice && no % 4 === 1,
  };
}

interface Planned extends SimulatedCampaign {
  settings: Partial<CampaignSettings>;
  /** What its two selectors say, said once more in another language. */
  fits: (attributes: Attributes) => boolean;
  contentSelector?: string;
}

const all = (): boolean => true;
const gate = { minimum: 20, success: 0.8, timeoutMinutes: 3 * 1_440 };
/** The hold-out is the last 5 %. */
const WAVES = [500, 3_000, 9_500].map((upTo) => ({ upTo, gate: upTo === 9_500 ? null : gate }));

/** @param devices how many there are: what a cap lets through grows with them */
export const plannedFor = (devices: number): readonly Planned[] => [
  {
    ...named('firmware'),
    contentSelector: 'device.model != "m0"',
    fits: ({ model, free }) => model !== 'm0' && typeof free === 'bigint' && free >= 100n,
    settings: {
      selector: 'device.free >= 100',
      waves: WAVES,
      waveUpTo: 500,
      holdOut: 500,
      conflictGroup: 'system',
      stopRules: [{ on: 'lost', share: 0.3, minimum: 20 }],
      timeouts: { transferMinutes: 120, confirmMinutes: 240 },
    },
    manner: { vanish: 0.02, fail: 0.03, silent: 0.01, decline: 0.02 },
  },
  {
    ...named('radio'),
    fits: all,
    settings: { class: 'background', conflictGroup: 'system', mode: 'either' },
    manner: { fail: 0.1 },
  },
  {
    ...named('broken'),
    fits: all,
    settings: {
      waves: [
        { upTo: 2_000, gate },
        { upTo: BUCKETS, gate: null },
      ],
      waveUpTo: 2_000,
      stopRules: [{ on: 'failed', share: 0.2, minimum: 20 }],
    },
    manner: { fail: 0.5 },
  },
  {
    ...named('mute'),
    fits: all,
    settings: {
      waveUpTo: 2_000,
      stopRules: [{ on: 'silent', share: 0.3, minimum: 20 }],
      timeouts: { transferMinutes: 120, confirmMinutes: 180 },
    },
    manner: { silent: 0.6 },
  },
  {
    ...named('stuck'),
    fits: all,
    settings: {
      waves: [
        { upTo: 2_000, gate: { minimum: 20, success: 0.95, timeoutMinutes: 600 } },
        { upTo: BUCKETS, gate: null },
      ],
      waveUpTo: 2_000,
    },
    manner: { fail: 0.3 },
  },
  {
    ...named('nightly'),
    fits: all,
    settings: { windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: '01:00', to: '05:00', zone: DEVICE_ZONE }] },
    manner: {},
  },
  {
    ...named('tool-old', 'tool'),
    fits: all,
    settings: { priority: 100, start: new Date(BEGIN - 30 * DAY).toISOString(), waveUpTo: 5_000 },
    manner: {},
  },
  { ...named('tool-new', 'tool'), fits: all, settings: { priority: 300, waveUpTo: 9_000 }, manner: {} },
  {
    ...named('tool-urgent', 'tool'),
    fits: all,
    settings: {
      class: 'urgent',
      priority: 0,
      start: new Date(BEGIN + 12 * TICK_MS + 1).toISOString(),
      end: new Date(BEGIN + 30 * TICK_MS).toISOString(),
    },
    manner: {},
  },
  {
    ...named('large'),
    fits: all,
    settings: {
      caps: { ...NO_CAPS, transfers: Math.ceil(devices / 400), bytesPerDay: Math.ceil((CONTENT_BYTES * devices) / 25) },
    },
    manner: { vanish: 0.1 },
  },
  {
    ...named('metered'),
    fits: all,
    settings: { caps: { ...NO_CAPS, bytesPerSecond: Math.ceil((CONTENT_BYTES * devices) / 8 / 86_400) } },
    manner: {},
  },
  {
    ...named('own'),
    fits: ({ roaming }) => roaming === false,
    settings: { mode: 'device', selector: '!device.roaming' },
    manner: {},
  },
  { ...named('trial'), fits: all, settings: { channel: 'beta', mode: 'either' }, manner: {} },
  { ...named('recalled'), fits: all, settings: { mode: 'either', waveUpTo: 5_000 }, manner: {} },
  { ...named('draft'), fits: all, settings: { mode: 'either' }, manner: {} },
  { ...named('again'), fits: all, settings: {}, manner: {} },
];

function named(name: string, content = name): Pick<Planned, 'campaignId' | 'contentId'> {
  return { campaignId: name, contentId: `content-${content}` };
}

const settingsOf = ({ campaignId, contentId, settings }: Planned): CampaignSettings => ({
  ...PLAIN_SETTINGS,
  name: campaignId,
  channel: 'main',
  contents: [contentId],
  mode: 'server',
  selector: 'true',
  start: null,
  end: null,
  windows: [],
  waveUpTo: BUCKETS,
  holdOut: 0,
  salt: campaignId,
  priority: 500,
  ...settings,
});

export function boardOf(planned: readonly Planned[]): TenantBoard {
  const contents = planned.map(({ contentId, contentSelector = 'true' }) => {
    const description = {
      name: contentId,
      version: '1',
      mediaType: 'text/plain',
      sizeBytes: CONTENT_BYTES,
      attributes: {},
    };
    const published = { contentId, description, selector: contentSelector, sha256: 'ab', sizeBytes: CONTENT_BYTES };
    return [contentId, { published, withdrawn: false }] as const;
  });
  return {
    contents: new Map(contents),
    campaigns: new Map(),
    schema: SCHEMA,
    approvals: 0,
    caps: NO_CAPS,
    rules: new Map(),
    catalogues: new Map(),
    selections: new Map(),
    revision: 0,
  };
}

/** What the managers do, by the tick. */
export function peopleOf(planned: readonly Planned[], board: TenantBoard): (tick: number) => readonly Order[] {
  const drafts = planned
    .filter(({ campaignId }) => campaignId !== 'again')
    .flatMap((each): Order[] => {
      const { campaignId } = each;
      const draft: Order = { type: 'DraftCampaign', data: { campaignId, ...settingsOf(each) } };
      return campaignId === 'draft' ? [draft] : [draft, { type: 'ScheduleCampaign', data: { campaignId } }];
    });
  const again = planned.find(({ campaignId }) => campaignId === 'again')!;
  const parent = { campaignId: 'stuck', outcomes: ['failed'] as const };
  const orders = new Map<number, readonly Order[]>([
    [0, drafts],
    [34, [{ type: 'PauseCampaign', data: { campaignId: 'tool-new', kind: 'soft', reason: 'a question' } }]],
    [44, [{ type: 'ResumeCampaign', data: { campaignId: 'tool-new' } }]],
    [
      POLL_TICKS,
      [
        { type: 'AbortCampaign', data: { campaignId: 'stuck', disposition: 'keep', reason: 'too many fail' } },
        { type: 'DraftCampaign', data: { campaignId: 'again', ...settingsOf(again), parent } },
        { type: 'ScheduleCampaign', data: { campaignId: 'again' } },
      ],
    ],
  ]);
  return (tick) => {
    if (tick === WITHDRAWN_AT) {
      const content = board.contents.get('content-recalled')!;
      board.contents.set('content-recalled', { ...content, withdrawn: true });
      board.revision += 1;
    }
    return orders.get(tick) ?? [];
  };
}

import {
  type AttributeValue,
  type ContentDescription,
  DECLINE_REASONS,
  type DeclineReason,
  type Gate,
  GATES,
  type WeeklyWindow,
} from '#device-protocol/index.js';
import { defineEvents, type EventDefinition, type JsonSchema } from '#event-log/index.js';

/** The one function here: how a reader of PollsRecorded unpacks its columns. */
export { type PackedPolls, type Poll, type PollAnswer, unpackPolls } from './polls.js';

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

/** Stream `schema`, `rules:<channel>`, `catalogue:<channel>` and `selection:<channel>` of a tenant, on `muster.campaign`. */
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
  | { type: 'HandsetDescribed'; data: { schemaVersion: number; zone: string; attributes: DeviceAttributes | null } }
  /** Server-side matching: it fits and was transmitted; `isInline`: with the answer itself. */
  | { type: 'OfferMade'; data: { contentId: string; campaignId: string; isInline: boolean } }
  | {
      type: 'ProcessingOrdered';
      data: { contentId: string; campaignId: string; application: string; order: number; inboxId: string };
    };

const text = (maxLength = 200): JsonSchema => ({ type: 'string', maxLength });
const id: JsonSchema = { type: 'string', format: 'uuid' };
const instant: JsonSchema = { type: 'string', format: 'date-time' };
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
const count = (maximum = Number.MAX_SAFE_INTEGER): JsonSchema => ({ type: 'integer', minimum: 0, maximum });
const oneOf = (values: readonly string[]): JsonSchema => ({ type: 'string', enum: values });
const list = (items: JsonSchema, maxItems: number): JsonSchema => ({ type: 'array', items, maxItems });
const hex = (digits: number): JsonSchema => ({ type: 'string', pattern: `^[0-9a-f]{${digits}}$` });
/** All properties are required, but for those named as optional. */
const object = (properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
const event = (schema: JsonSchema, sample: object): EventDefinition => ({
  version: 1,
  schema,
  samples: [{ v: 1, data: sample }],
});

const description = object(
  {
    name: text(255),
    version: text(64),
    mediaType: text(127),
    sizeBytes: count(),
    attributes: { type: 'object' },
    securityDomain: text(32),
    applications: list(text(64), 16),
  },
  ['securityDomain', 'applications'],
);
const window = object({ days: list(count(7), 7), from: text(5), to: text(5), zone: text(64) });
const settings = {
  campaignId: id,
  name: text(255),
  channel: text(31),
  contents: list(id, 100),
  mode: oneOf(['device', 'server', 'either']),
  selector: text(4_096),
  start: orNull(instant),
  end: orNull(instant),
  windows: list(window, 20),
  waveUpTo: count(10_000),
  holdOut: count(10_000),
  salt: text(64),
  priority: count(1_000),
};
const reason = text(500);

const C = '01890a5d-ac96-774b-bcce-b302099a8057';
const K = '01890a5d-ac96-774b-bcce-b302099a8058';
const I = '01890a5d-ac96-874b-bcce-b302099a8059';
const AT = '2026-11-24T09:00:00.000Z';
const described = {
  name: 'radio.bin',
  version: '2.1',
  mediaType: 'application/octet-stream',
  sizeBytes: 5,
  attributes: { region: 'eu', minMemory: 64 },
};
const drafted = {
  campaignId: K,
  name: 'radio 2.1',
  channel: 'main',
  contents: [C],
  mode: 'device',
  selector: 'true',
  start: null,
  end: null,
  windows: [{ days: [1, 7], from: '22:00', to: '04:00', zone: 'Europe/Paris' }],
  waveUpTo: 10_000,
  holdOut: 0,
  salt: K,
  priority: 500,
};

const content = defineEvents<ContentEvent>('muster.content', {
  ContentPublished: event(
    object({ contentId: id, description, selector: text(4_096), sha256: hex(64), sizeBytes: count() }),
    { contentId: C, description: described, selector: 'true', sha256: '5e'.repeat(32), sizeBytes: 5 },
  ),
  ContentWithdrawn: event(object({ contentId: id, reason }), { contentId: C, reason: 'wrong build' }),
});

const campaign = defineEvents<CampaignEvent | CatalogueEvent>('muster.campaign', {
  CampaignDrafted: event(object(settings), drafted),
  CampaignEdited: event(object(settings), { ...drafted, priority: 900 }),
  CampaignScheduled: event(object({ campaignId: id, start: instant, end: orNull(instant) }), {
    campaignId: K,
    start: AT,
    end: null,
  }),
  CampaignStarted: event(object({ campaignId: id }), { campaignId: K }),
  WaveOpened: event(object({ campaignId: id, waveUpTo: count(10_000) }), { campaignId: K, waveUpTo: 500 }),
  CampaignPaused: event(object({ campaignId: id, kind: oneOf(['soft', 'hard']), reason }), {
    campaignId: K,
    kind: 'hard',
    reason: 'complaints',
  }),
  CampaignResumed: event(object({ campaignId: id }), { campaignId: K }),
  CampaignCompleted: event(object({ campaignId: id, reason }), { campaignId: K, reason: 'end' }),
  CampaignAborted: event(object({ campaignId: id, disposition: oneOf(['keep', 'recall']), reason }), {
    campaignId: K,
    disposition: 'recall',
    reason: 'wrong content',
  }),
  AttributeSchemaPublished: event(object({ version: count(), schema: { type: 'object' } }), {
    version: 1,
    schema: { version: 1, attributes: { model: { type: 'string' } } },
  }),
  RuleSetPublished: event(object({ channel: text(31), version: count(), rules: { type: 'object' } }), {
    channel: 'main',
    version: 1,
    rules: { version: 1, rules: [{ id: 'boot', on: ['boot'] }] },
  }),
  CataloguePublished: event(
    object({ channel: text(31), version: count(), digest: hex(12), campaigns: list(id, 100_000) }),
    { channel: 'main', version: 7, digest: 'a1b2c3d4e5f6', campaigns: [K] },
  ),
  SelectionChanged: event(object({ channel: text(31), digest: hex(12), campaigns: list(id, 100_000) }), {
    channel: 'main',
    digest: '0a1b2c3d4e5f',
    campaigns: [K],
  }),
});

const offered = { contentId: id, campaignId: id };
const named = { contentId: C, campaignId: K };
const device = defineEvents<DeviceFactByServer>('muster.device', {
  PollsRecorded: event(
    object({
      partition: count(11),
      channel: text(31),
      from: instant,
      count: count(),
      rules: list(text(80), 256),
      columns: text(200_000),
    }),
    { partition: 3, channel: 'main', from: AT, count: 1, rules: ['boot;v=1'], columns: 'AAAAAQAAAAABobLD1OX2' },
  ),
  DescriptionsSent: event(object({ channel: text(31), snapshotVersion: count(), digest: hex(12) }), {
    channel: 'main',
    snapshotVersion: 7,
    digest: 'a1b2c3d4e5f6',
  }),
  ContentRequested: event(object({ ...offered, snapshotVersion: count() }), { ...named, snapshotVersion: 7 }),
  ContentDeclined: event(object({ ...offered, reason: oneOf(DECLINE_REASONS), snapshotVersion: count() }), {
    ...named,
    reason: 'no-fit',
    snapshotVersion: 7,
  }),
  GrantIssued: event(object({ ...offered, jti: id, expiresAt: instant }), { ...named, jti: I, expiresAt: AT }),
  OfferWithheld: event(object({ ...offered, gate: oneOf(GATES) }), { ...named, gate: 'wave' }),
  HandsetDescribed: event(
    object({ schemaVersion: count(), zone: text(64), attributes: { type: ['object', 'null'], 'x-personal': true } }),
    { schemaVersion: 3, zone: 'Europe/Paris', attributes: { model: 'm1', freeMemory: 128 } },
  ),
  OfferMade: event(object({ ...offered, isInline: { type: 'boolean' } }), { ...named, isInline: true }),
  ProcessingOrdered: event(object({ ...offered, application: text(64), order: count(100), inboxId: id }), {
    ...named,
    application: 'a000000151000000',
    order: 0,
    inboxId: I,
  }),
});

/** Everything of this room that stands in the log. */
export const campaignDefinitions = [content, campaign, device] as const;

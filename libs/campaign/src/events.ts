import { DECLINE_REASONS, GATES } from '#device-protocol/index.js';
import { defineEvents, type EventData, type EventDefinition, type JsonSchema } from '#event-log/index.js';
import type { CampaignEvent, CatalogueEvent, ContentEvent, DeviceFactByServer } from './event-types.js';
import { OUTCOMES } from './outcomes.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import { CLASSES } from './precedence.js';
import { STOPS } from './stop-rules.js';

export type * from './event-types.js';
/** The one function here: how a reader of PollsRecorded unpacks its columns. */
export { type PackedPolls, type Poll, type PollAnswer, unpackPolls } from './polls.js';

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
const settingsV1 = {
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
const caps = object({ transfers: orNull(count()), bytesPerSecond: orNull(count()), bytesPerDay: orNull(count()) });
const share: JsonSchema = { type: 'number', minimum: 0, maximum: 1 };
const settings = {
  ...settingsV1,
  waves: list(
    object({
      upTo: count(10_000),
      gate: orNull(object({ minimum: count(), success: share, timeoutMinutes: count() })),
    }),
    100,
  ),
  class: oneOf(CLASSES),
  caps,
  stopRules: list(object({ on: oneOf(STOPS), share, minimum: count() }), 20),
  timeouts: object({ transferMinutes: orNull(count()), confirmMinutes: orNull(count()) }),
  conflictGroup: orNull(text(64)),
  confirmation: { type: 'boolean' } as JsonSchema,
};
const SETTINGS_OPTIONAL = ['confirmation'];
const upcast =
  (more: object) =>
  (data: EventData): EventData => ({ ...data, ...PLAIN_SETTINGS, by: null, ...more });
const parent = orNull(object({ campaignId: id, outcomes: list(oneOf(OUTCOMES), OUTCOMES.length) }));
const by = text(200);
/** A step, which a person or the clock took. */
const stepped = (properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema =>
  object({ campaignId: id, ...properties, by, at: instant }, ['by', 'at', ...optional]);
const reason = text(500);
const summary = object(
  {
    ...{ digest: hex(64), position: text(4_096), days: count(), from: instant, until: instant },
    ...{ isPartial: { type: 'boolean' }, isKnowable: { type: 'boolean' }, polls: count(), devices: count() },
    ...{ fits: orNull(count()), served: orNull(count()), starved: orNull(count()), bytes: orNull(count()) },
    ...{ peakBytesPerHour: orNull(count()), rivals: orNull(count()) },
  },
  ['days'],
);

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
const draftedV1 = {
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
const drafted = {
  ...draftedV1,
  by: 'person:01890a5d-ac96-774b-bcce-b302099a8060',
  waveUpTo: 100,
  waves: [
    { upTo: 100, gate: { minimum: 50, success: 0.9, timeoutMinutes: 1_440 } },
    { upTo: 10_000, gate: null },
  ],
  class: 'normal',
  caps: { transfers: 200, bytesPerSecond: 5_000_000, bytesPerDay: null },
  stopRules: [{ on: 'failed', share: 0.05, minimum: 20 }],
  timeouts: { transferMinutes: 1_440, confirmMinutes: 60 },
  conflictGroup: 'radio',
};
const P = 'person:01890a5d-ac96-774b-bcce-b302099a8061';
const summed = {
  ...{ digest: '5e'.repeat(32), position: 'AQ', from: AT, until: AT, isPartial: false, isKnowable: true },
  ...{ polls: 900, devices: 300, fits: 120, served: 90, starved: 10, bytes: 4_500, peakBytesPerHour: 500, rivals: 1 },
};
/** Sample of a step with who took it, and of one as it was before, or by the clock. */
const step = (schema: JsonSchema, sample: object): EventDefinition => ({
  version: 1,
  schema,
  samples: [
    { v: 1, data: sample },
    { v: 1, data: { ...sample, by: P, at: AT } },
  ],
});
/** As the first version, and as it is now. */
const draft = (schema: JsonSchema, [first, now]: [object, object], more: object = {}): EventDefinition => ({
  version: 2,
  schema,
  upcast: { 1: upcast(more) },
  samples: [
    { v: 1, data: first },
    { v: 2, data: now },
  ],
});

const content = defineEvents<ContentEvent>('muster.content', {
  ContentPublished: event(
    object({ contentId: id, description, selector: text(4_096), sha256: hex(64), sizeBytes: count() }),
    { contentId: C, description: described, selector: 'true', sha256: '5e'.repeat(32), sizeBytes: 5 },
  ),
  ContentWithdrawn: event(object({ contentId: id, reason }), { contentId: C, reason: 'wrong build' }),
});

const campaign = defineEvents<CampaignEvent | CatalogueEvent>('muster.campaign', {
  CampaignDrafted: draft(
    object({ ...settings, by: orNull(by), parent }, SETTINGS_OPTIONAL),
    [draftedV1, { ...drafted, parent: { campaignId: C, outcomes: ['failed', 'silent'] } }],
    { parent: null },
  ),
  CampaignEdited: draft(object({ ...settings, by: orNull(by) }, SETTINGS_OPTIONAL), [
    { ...draftedV1, priority: 900 },
    { ...drafted, priority: 900, confirmation: true },
  ]),
  CampaignSubmitted: {
    version: 1,
    schema: object({ campaignId: id, by, required: count(10), report: orNull(hex(64)), summary }, ['summary']),
    samples: [
      { v: 1, data: { campaignId: K, by: P, required: 1, report: '5e'.repeat(32) } },
      { v: 1, data: { campaignId: K, by: P, required: 1, report: '5e'.repeat(32), summary: summed } },
      { v: 1, data: { campaignId: K, by: P, required: 1, report: null, summary: { ...summed, days: 7 } } },
    ],
  },
  CampaignApproved: event(object({ campaignId: id, by, remark: text(500), remaining: count(10) }), {
    campaignId: K,
    by: P,
    remark: 'go',
    remaining: 0,
  }),
  CampaignRejected: event(object({ campaignId: id, by, reason }), { campaignId: K, by: P, reason: 'not on a Friday' }),
  CampaignScheduled: step(stepped({ start: instant, end: orNull(instant) }), { campaignId: K, start: AT, end: null }),
  CampaignStarted: step(stepped({}), { campaignId: K }),
  WaveOpened: step(stepped({ waveUpTo: count(10_000) }), { campaignId: K, waveUpTo: 500 }),
  CampaignPaused: step(stepped({ kind: oneOf(['soft', 'hard']), reason }), {
    campaignId: K,
    kind: 'hard',
    reason: 'complaints',
  }),
  CampaignResumed: step(stepped({ reason }, ['reason']), { campaignId: K }),
  CampaignHalted: event(
    object({
      campaignId: id,
      cause: oneOf(['stop-rule', 'wave-timeout']),
      rule: orNull(settings.stopRules.items as JsonSchema),
      count: count(),
      responded: count(),
      tally: object(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, count()]))),
    }),
    {
      ...{
        campaignId: K,
        cause: 'stop-rule',
        rule: { on: 'failed', share: 0.05, minimum: 20 },
        count: 3,
        responded: 41,
      },
      tally: { confirmed: 37, failed: 3, declined: 1, 'timed-out': 0, silent: 0 },
    },
  ),
  CampaignEnded: step(stepped({ reason }), { campaignId: K, reason: 'end' }),
  CampaignCompleted: step(stepped({ reason }), { campaignId: K, reason: 'end' }),
  CampaignAborted: step(stepped({ disposition: oneOf(['keep', 'recall']), reason }), {
    campaignId: K,
    disposition: 'recall',
    reason: 'wrong content',
  }),
  CampaignStepUndone: event(
    object({
      campaignId: id,
      by,
      step: text(64),
      reason,
      status: text(16),
      pause: orNull(oneOf(['soft', 'hard'])),
      recalled: { type: 'boolean' },
      start: orNull(instant),
      end: orNull(instant),
      waveUpTo: count(10_000),
      waveOpenedAt: orNull(instant),
    }),
    {
      campaignId: K,
      by: P,
      step: 'WaveOpened',
      reason: 'too early',
      status: 'running',
      pause: null,
      recalled: false,
      start: AT,
      end: null,
      waveUpTo: 100,
      waveOpenedAt: AT,
    },
  ),
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
  NetworkCapsSet: event(caps, { transfers: 500, bytesPerSecond: null, bytesPerDay: 1_000_000_000 }),
  ReviewPolicySet: event(object({ approvals: count(10) }), { approvals: 2 }),
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
    object({
      schemaVersion: count(),
      zone: { type: ['string', 'null'], maxLength: 64, 'x-personal': true },
      attributes: { type: ['object', 'null'], 'x-personal': true },
    }),
    { schemaVersion: 3, zone: 'Europe/Paris', attributes: { model: 'm1', freeMemory: 128 } },
  ),
  OfferMade: event(object({ ...offered, isInline: { type: 'boolean' } }), { ...named, isInline: true }),
  WakeSent: event(object({ campaignId: id, channel: text(31) }), { campaignId: K, channel: 'main' }),
  ProcessingOrdered: event(object({ ...offered, application: text(64), order: count(100), inboxId: id }), {
    ...named,
    application: 'a000000151000000',
    order: 0,
    inboxId: I,
  }),
});

/** Everything of this room that stands in the log. */
export const campaignDefinitions = [content, campaign, device] as const;

import { defineEvents, type EventDefinition, type EventDefinitions, type JsonSchema } from '#event-log/index.js';

/** Device-made facts on `muster.device`, as the agent queues them and `POST /d/v1/facts` brings them. None holds an attribute value. */
export type DeviceFactByHandset =
  | { type: 'TriggerFired'; data: { rule: string; version: number; on: string } }
  | { type: 'AvailabilityRequested'; data: { rule: string; version: number; snapshotVersion: number } }
  | { type: 'ContentMatched'; data: { contentId: string; campaignId: string; snapshotVersion: number } }
  | { type: 'TransferStarted'; data: { contentId: string; campaignId: string } }
  | { type: 'TransferResumed'; data: { contentId: string; campaignId: string; fromByte: number } }
  | { type: 'TransferCompleted'; data: { contentId: string; campaignId: string; bytes: number; sha256: string } }
  | {
      type: 'ProcessingAcknowledged';
      data: { contentId: string; campaignId: string; application: string; outcome: 'done' | 'failed'; inboxId: string };
    }
  | {
      type: 'InstallReported';
      data: { contentId: string; campaignId: string; outcome: 'installed' | 'failed'; code?: string };
    }
  | { type: 'OutcomeConfirmed'; data: { contentId: string; campaignId: string; outcome: 'confirmed' | 'rolled-back' } }
  | { type: 'CatalogueRefused'; data: { code: string } };

const id: JsonSchema = { type: 'string', format: 'uuid' };
const text = (maxLength: number): JsonSchema => ({ type: 'string', minLength: 1, maxLength });
const count: JsonSchema = { type: 'integer', minimum: 0 };
const oneOf = (values: readonly string[]): JsonSchema => ({ type: 'string', enum: values });
const offered = { contentId: id, campaignId: id };

/** An object of exactly these fields, all required but those named. */
const event = (
  properties: Readonly<Record<string, JsonSchema>>,
  sample: object,
  optional: readonly string[] = [],
): EventDefinition => ({
  version: 1,
  schema: {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  },
  samples: [{ v: 1, data: sample }],
});

const named = {
  contentId: '01890a5d-ac96-774b-bcce-b302099a8057',
  campaignId: '01890a5d-ac96-774b-bcce-b302099a8058',
};
const inboxId = '01890a5d-ac96-874b-bcce-b302099a8059';
const rule = { rule: text(64), version: count };

/**
 * For the process that writes these to the log. The agent takes only types from this file, so that no part of the log's room
 * is loaded on a handset.
 */
export const deviceDefinitions: EventDefinitions = defineEvents<DeviceFactByHandset>('muster.device', {
  TriggerFired: event({ ...rule, on: text(32) }, { rule: 'on-wifi', version: 3, on: 'network' }),
  AvailabilityRequested: event(
    { ...rule, snapshotVersion: count },
    { rule: 'on-wifi', version: 3, snapshotVersion: 7 },
  ),
  ContentMatched: event({ ...offered, snapshotVersion: count }, { ...named, snapshotVersion: 7 }),
  TransferStarted: event(offered, named),
  TransferResumed: event({ ...offered, fromByte: count }, { ...named, fromByte: 65_536 }),
  TransferCompleted: event(
    { ...offered, bytes: count, sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
    { ...named, bytes: 70_000, sha256: '5e'.repeat(32) },
  ),
  ProcessingAcknowledged: event(
    { ...offered, application: text(64), outcome: oneOf(['done', 'failed']), inboxId: id },
    { ...named, application: 'a000000151000000', outcome: 'done', inboxId },
  ),
  InstallReported: event(
    { ...offered, outcome: oneOf(['installed', 'failed']), code: text(64) },
    { ...named, outcome: 'failed', code: 'hook.timeout' },
    ['code'],
  ),
  OutcomeConfirmed: event(
    { ...offered, outcome: oneOf(['confirmed', 'rolled-back']) },
    { ...named, outcome: 'confirmed' },
  ),
  CatalogueRefused: event({ code: text(64) }, { code: 'tuf.rollback' }),
});

import { defineEvents, type EventDefinitions, type JsonSchema } from '#event-log/index.js';

/** `muster.handset`: one stream per device id. Keys are named by the sha-256 (hex) of their SubjectPublicKeyInfo. */
export type HandsetEvent =
  | {
      type: 'HandsetEnrolled';
      /**
       * `label` is personal (an IMEI or an owner's name may stand in it): sealed, as `controllerId` is, by which a hawkBit client
       * names itself. Of such a device the key is its target token, whose sha-256 is the `keyHash`.
       */
      data: {
        deviceId: string;
        deviceNo: number;
        channel: string;
        keyHash: string;
        epoch: number;
        label: string | null;
        expiresAt: string;
        controllerId?: string | null;
      };
    }
  | { type: 'HandsetRenewed'; data: { deviceId: string; keyHash: string; replacesKeyHash: string; expiresAt: string } }
  | {
      type: 'HandsetReplaced';
      data: { deviceId: string; keyHash: string; replacesKeyHash: string; epoch: number; expiresAt: string };
    }
  | { type: 'HandsetRevoked'; data: { deviceId: string; keyHash: string; reason: string } }
  | { type: 'RulesDelivered'; data: { deviceId: string; channel: string; version: number } }
  /** What is kept here of a device besides what it tells; `changes`, the values, are personal: `null` to readers once it is forgotten. */
  | {
      type: 'AttributesKept';
      data: {
        deviceId: string;
        schemaVersion: number;
        at: string;
        /** `null` removes the name. */
        changes: Readonly<Record<string, KeptValue | null>> | null;
      };
    }
  | { type: 'SubjectForgotten'; data: { deviceId: string; reason: string } };

/** As JSON has it; integers beyond 2^53 are decimal text. */
export type KeptValue = string | number | boolean | readonly (string | number | boolean)[];

/** `muster.audit`: one event per change that a person makes to an operational row, in the transaction of the change. Stream = kind of the row. */
export type AuditEvent = {
  type: 'OperationAudited';
  data: {
    /** CLI's verb, e.g. `user.add`. */
    operation: string;
    /** What was changed: kind and id. */
    object: { kind: string; id: string };
    /** The change for people, without secrets. */
    summary: string;
  };
};

const DEVICE = '018f8c2e-7b1a-7c3d-8e4f-0123456789ab';
const KEY = 'ab'.repeat(32);
const OTHER_KEY = 'cd'.repeat(32);
const AT = '2027-02-22T12:00:00.000Z';

const id: JsonSchema = { type: 'string', format: 'uuid' };
const keyHash: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const at: JsonSchema = { type: 'string', format: 'date-time' };
const text: JsonSchema = { type: 'string', maxLength: 500 };
const channel: JsonSchema = { type: 'string', pattern: '^[a-z][a-z0-9-]{0,30}$' };
const count: JsonSchema = { type: 'integer', minimum: 0 };
const epoch: JsonSchema = { type: 'integer', minimum: 1 };

/** An object of exactly these fields, all required but those named. */
const object = (properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});

export const handsetDefinitions: EventDefinitions = defineEvents<HandsetEvent>('muster.handset', {
  HandsetEnrolled: {
    version: 1,
    schema: object(
      {
        deviceId: id,
        deviceNo: { type: 'integer', minimum: 0, maximum: 4_294_967_295 },
        channel,
        keyHash,
        epoch,
        label: { type: ['string', 'null'], maxLength: 500, 'x-personal': true },
        expiresAt: at,
        controllerId: { type: ['string', 'null'], maxLength: 100, 'x-personal': true },
      },
      ['controllerId'],
    ),
    samples: [
      {
        v: 1,
        data: {
          deviceId: DEVICE,
          deviceNo: 0,
          channel: 'main',
          keyHash: KEY,
          epoch: 1,
          label: 'van 7',
          expiresAt: AT,
        },
      },
      {
        v: 1,
        data: {
          ...{ deviceId: DEVICE, deviceNo: 1, channel: 'main', keyHash: KEY, epoch: 1, label: 'gate 4' },
          ...{ expiresAt: AT, controllerId: 'gate-4' },
        },
      },
    ],
  },
  HandsetRenewed: {
    version: 1,
    schema: object({ deviceId: id, keyHash, replacesKeyHash: keyHash, expiresAt: at }),
    samples: [{ v: 1, data: { deviceId: DEVICE, keyHash: OTHER_KEY, replacesKeyHash: KEY, expiresAt: AT } }],
  },
  HandsetReplaced: {
    version: 1,
    schema: object({ deviceId: id, keyHash, replacesKeyHash: keyHash, epoch, expiresAt: at }),
    samples: [{ v: 1, data: { deviceId: DEVICE, keyHash: OTHER_KEY, replacesKeyHash: KEY, epoch: 2, expiresAt: AT } }],
  },
  HandsetRevoked: {
    version: 1,
    schema: object({ deviceId: id, keyHash, reason: text }),
    samples: [{ v: 1, data: { deviceId: DEVICE, keyHash: KEY, reason: 'lost' } }],
  },
  RulesDelivered: {
    version: 1,
    schema: object({ deviceId: id, channel, version: count }),
    samples: [{ v: 1, data: { deviceId: DEVICE, channel: 'main', version: 1 } }],
  },
  AttributesKept: {
    version: 1,
    schema: object({
      deviceId: id,
      schemaVersion: count,
      at,
      changes: { type: ['object', 'null'], 'x-personal': true },
    }),
    samples: [
      {
        v: 1,
        data: { deviceId: DEVICE, schemaVersion: 1, at: AT, changes: { tariff: 'gold', oldTariff: null } },
      },
    ],
  },
  SubjectForgotten: {
    version: 1,
    schema: object({ deviceId: id, reason: text }),
    samples: [{ v: 1, data: { deviceId: DEVICE, reason: 'asked by its owner' } }],
  },
});

export const auditDefinitions: EventDefinitions = defineEvents<AuditEvent>('muster.audit', {
  OperationAudited: {
    version: 1,
    schema: object({ operation: text, object: object({ kind: text, id: text }), summary: text }),
    samples: [
      {
        v: 1,
        data: { operation: 'user.add', object: { kind: 'person', id: DEVICE }, summary: 'roles viewer' },
      },
    ],
  },
});

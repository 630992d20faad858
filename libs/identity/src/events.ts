/** `muster.handset`: one stream per device id. Keys are named by the sha-256 (hex) of their SubjectPublicKeyInfo. */
export type HandsetEvent =
  | {
      type: 'HandsetEnrolled';
      /** `label` is personal (an IMEI or an owner's name may stand in it): sealed. */
      data: {
        deviceId: string;
        deviceNo: number;
        channel: string;
        keyHash: string;
        epoch: number;
        label: string | null;
        expiresAt: string;
      };
    }
  | { type: 'HandsetRenewed'; data: { deviceId: string; keyHash: string; replacesKeyHash: string; expiresAt: string } }
  | {
      type: 'HandsetReplaced';
      data: { deviceId: string; keyHash: string; replacesKeyHash: string; epoch: number; expiresAt: string };
    }
  | { type: 'HandsetRevoked'; data: { deviceId: string; keyHash: string; reason: string } }
  | { type: 'RulesDelivered'; data: { deviceId: string; channel: string; version: number } }
  | { type: 'SubjectForgotten'; data: { deviceId: string; reason: string } };

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

/** `POST /enrol/v1`: the code is the credential; the CSR (PEM, P-256) proves the key. */
export interface EnrolRequest {
  code: string;
  csr: string;
}

/** `POST /enrol/v1/renew`: no valid certificate needed, up to 400 days after expiry. `proof` is a JWS by the old key. */
export interface RenewRequest {
  /** The certificate to renew, PEM. */
  certificate: string;
  /** A CSR by the old or a new key, PEM. */
  csr: string;
  /** Compact JWS, ES256 by the old certificate's key over `{csr: sha-256 of the CSR's DER, base64url; iat: seconds}`; at most 10 minutes old. */
  proof: string;
}

export interface EnrolAnswer {
  tenant: string;
  deviceId: string;
  deviceNo: number;
  channel: string;
  /** Certificate, then the issuing CA, PEM. */
  certificate: string;
  /** Trust anchor for the server's own certificate, PEM. */
  serverCa: string;
  /** First number of the device's sequence (epoch, n). */
  epoch: number;
  /** Path of the TUF repository, e.g. `/tuf/acme/main/`. */
  tuf: string;
  /** The trusted root's bytes (JSON text): the handset starts from it. */
  root: string;
  /** The first rule set, as text of the target `rules/<v>`. */
  rules: string;
  intervalSeconds: number;
}

/** Why a content that was described is not taken. A closed list: never which condition failed. */
export const DECLINE_REASONS = [
  'no-fit',
  'user',
  'no-space',
  'battery',
  'metered',
  'digest',
  'install-failed',
] as const;
export type DeclineReason = (typeof DECLINE_REASONS)[number];

/** A gate that holds an offer back, checked again by the server at request time. */
export const GATES = [
  'not-offered',
  'not-running',
  'not-started',
  'ended',
  'paused',
  'window',
  'wave',
  'hold-out',
  'cap',
  'conflict',
  'withdrawn',
] as const;
export type Gate = (typeof GATES)[number];

export interface OfferRef {
  contentId: string;
  campaignId: string;
}

/** `POST /d/v1/requests`: identifiers of what fits, and the snapshot version they were read from. */
export interface ContentRequests {
  snapshotVersion: number;
  requests: readonly OfferRef[];
}

export type RequestAnswer = OfferRef &
  ({ grant: string; url: string; sizeBytes: number; sha256: string } | { gate: Gate; retryAfterSeconds?: number });
export interface ContentRequestsAnswer {
  answers: readonly RequestAnswer[];
}

/** `POST /d/v1/declines` */
export interface Declines {
  snapshotVersion: number;
  declines: readonly (OfferRef & { reason: DeclineReason })[];
}

/** One fact of the handset's own queue. `seq` is (epoch, n): the server drops what it has. */
export interface DeviceFact {
  seq: { epoch: number; n: number };
  type: string;
  occurredAt: string;
  data: Readonly<Record<string, unknown>>;
}

/** `POST /d/v1/facts` → the highest accepted sequence. */
export interface FactBatch {
  facts: readonly DeviceFact[];
}
export interface FactBatchAnswer {
  accepted: { epoch: number; n: number };
}

/** `GET /d/v1/inbox`: what is for one device, never in the catalogue. */
export type InboxItem =
  | { id: string; kind: 'process'; contentId: string; campaignId: string; application: string; order: number }
  | { id: string; kind: 'cancel'; campaignId: string; contentId: string }
  | { id: string; kind: 'confirm'; campaignId: string; contentId: string };
export interface Inbox {
  items: readonly InboxItem[];
}

/** Limits of the handset's routes, the same on both sides. Bytes unless named otherwise. */
export const LIMITS = {
  enrolBody: 16_384,
  requestsBody: 65_536,
  declinesBody: 65_536,
  factsBody: 262_144,
  factsPerBatch: 500,
  requestsPerCall: 100,
  declinesPerCall: 1_000,
  tufRoleFile: 524_288,
  tufTimestamp: 16_384,
  tufSnapshot: 524_288,
  tufRoot: 524_288,
} as const;

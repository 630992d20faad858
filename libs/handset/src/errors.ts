import { DomainError } from '#runtime/index.js';

export type HandsetErrorCode =
  | 'store.name'
  | 'store.locked'
  | 'element.keyset'
  | 'store.corrupt'
  | 'queue.lost'
  | 'transport.unreachable'
  | 'transport.certificate-time'
  | 'transport.interrupted'
  | 'transport.too-large'
  | 'transport.too-slow'
  | 'transport.deadline'
  | 'transport.encoding'
  | 'transport.foreign-origin'
  | 'server.busy'
  | 'server.refused'
  | 'server.malformed'
  | 'enrol.fingerprint'
  | 'enrol.already'
  | 'enrol.missing'
  | 'grant.malformed'
  | 'grant.signature'
  | 'grant.other-device'
  | 'grant.other-content'
  | 'grant.expired'
  | 'transfer.digest'
  | 'transfer.length'
  | 'transfer.grant-refused'
  | 'attributes.malformed'
  | 'event.unknown'
  | 'event.malformed'
  | 'hook.failed'
  | 'hook.timeout'
  | 'hook.output';

/** What the agent refuses or could not do. `details` names no attribute value, no key and no grant. */
export class HandsetError extends DomainError<HandsetErrorCode> {}

/** True for an error of this room with one of the codes. */
export const hasCode = (error: unknown, ...codes: readonly HandsetErrorCode[]): error is HandsetError =>
  error instanceof HandsetError && codes.includes(error.code);

/** Why an embedder's hook failed: our own code for it, or none that we know. */
export const hookCode = (error: unknown): HandsetErrorCode =>
  error instanceof HandsetError ? error.code : 'hook.failed';

/** True for a refusal of any room; anything else is a mistake of ours. */
export const isRefusal = (error: unknown): error is DomainError => error instanceof DomainError;

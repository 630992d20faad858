import { DomainError } from '#runtime/index.js';

export type IdentityErrorCode =
  | 'auth.required'
  | 'auth.invalid'
  | 'auth.forbidden'
  | 'auth.csrf'
  | 'auth.throttled'
  | 'auth.certificate-required'
  | 'auth.certificate-refused'
  | 'auth.controller-refused'
  | 'tenant.unknown'
  | 'tenant.exists'
  | 'tenant.malformed'
  | 'person.unknown'
  | 'person.exists'
  | 'person.own-roles'
  | 'person.last-admin'
  | 'password.weak'
  | 'token.unknown'
  | 'token.roles'
  | 'enrolment.code-unknown'
  | 'enrolment.code-used'
  | 'enrolment.code-expired'
  | 'enrolment.csv'
  | 'csr.malformed'
  | 'csr.key-type'
  | 'csr.signature'
  | 'renewal.certificate'
  | 'renewal.proof'
  | 'renewal.too-late'
  | 'renewal.key-retired'
  | 'device.unknown'
  | 'device.revoked'
  | 'device.key-taken'
  | 'device.exists'
  | 'device.search';

/** A refused act of identity. The message never holds a code, token, password or label. */
export class IdentityError extends DomainError<IdentityErrorCode> {
  override readonly name = 'IdentityError';
}

/** A refusal that names one field of the request. */
export const refusedField = (code: IdentityErrorCode, pointer: string, message: string): IdentityError =>
  new IdentityError(code, {}, message, [{ pointer, message }]);

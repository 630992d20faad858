import type { IdentityErrorCode } from '../errors.js';

/** HTTP statuses that the form of a code does not tell. */
export const STATUSES = {
  'auth.throttled': 429,
  'auth.csrf': 403,
  'auth.certificate-refused': 401,
  'person.own-roles': 403,
  'person.last-admin': 409,
  'token.roles': 403,
  'enrolment.code-unknown': 404,
  'enrolment.code-used': 409,
  'enrolment.code-expired': 410,
  'renewal.too-late': 403,
  'renewal.key-retired': 403,
  'renewal.proof': 403,
  'renewal.certificate': 403,
  'device.revoked': 403,
  'device.key-taken': 409,
  'device.exists': 409,
  'device.search': 400,
} satisfies Partial<Record<IdentityErrorCode, number>>;

/** On the handset's port the credential is the certificate of the connection; a scheme of ours, because none is registered. hawkBit's has one of its own. */
export const CHALLENGES = {
  'auth.certificate-required': 'ClientCertificate',
  'auth.certificate-refused': 'ClientCertificate',
  'auth.controller-refused': 'TargetToken',
} satisfies Partial<Record<IdentityErrorCode, string>>;

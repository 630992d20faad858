/** Who is who: people, tokens, devices. Pure rules; the Nest part is nest/identity.module.ts. */
export { IdentityError, type IdentityErrorCode } from './errors.js';
export { PERMISSIONS, ROLES, permits, type Permission, type Principal, type Role } from './roles.js';
export { checkTenantId, INSTALLATION, isTenantId } from './tenant.js';
export { fingerprintOf, keyHashOf } from './certificates.js';
export { CHANNEL, DEFAULT_CHANNEL, writeCsv } from './enrolment-csv.js';
export { ChangeAuditor } from './audit-changes.js';
export { type Kept, keptOf } from './handset.js';
export { HandsetAuditor } from './audit-handsets.js';

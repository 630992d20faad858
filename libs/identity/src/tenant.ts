import { refusedField } from './errors.js';

/** Owner of the installation's own secrets (its CAs); no tenant can have the name. */
export const INSTALLATION = 'platform';

const SLUG = /^[a-z][a-z0-9-]{1,30}$/;

/** A tenant's id: a slug, part of every key, credential and path. */
export const isTenantId = (text: string): boolean => SLUG.test(text) && text !== INSTALLATION;

/** @throws IdentityError `tenant.malformed` */
export function checkTenantId(text: string): string {
  if (isTenantId(text)) return text;
  const rule = '2 to 31 of a-z, 0-9 and -, a letter first; "platform" is reserved';
  throw refusedField('tenant.malformed', '/tenant', rule);
}

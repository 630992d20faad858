import { isRole } from '../roles.js';
import type { PersonView } from './views.dto.js';

export const PERSON_COLUMNS =
  'tenant, person_id, email, name, password_hash, roles, platform, domain, disabled_at, created_at, version';

export interface PersonRow {
  tenant: string;
  person_id: string;
  email: string;
  name: string;
  password_hash: string;
  roles: string[];
  platform: boolean;
  domain: string | null;
  disabled_at: Date | null;
  created_at: Date;
  version: number;
}

export const viewOfPerson = (row: PersonRow): PersonView => ({
  id: row.person_id,
  email: row.email,
  name: row.name,
  roles: row.roles.filter(isRole),
  platform: row.platform,
  domain: row.domain,
  disabled: row.disabled_at !== null,
  createdAt: row.created_at.toISOString(),
  version: row.version,
});

import { isRole } from '../roles.js';
import type { TokenView } from './views.dto.js';

export const TOKEN_COLUMNS = 'token_id, name, roles, owner_id, created_at, expires_at, revoked_at';

export interface TokenRow {
  token_id: string;
  name: string;
  roles: string[];
  owner_id: string;
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
}

export const viewOfToken = (row: TokenRow): TokenView => ({
  id: row.token_id,
  name: row.name,
  roles: row.roles.filter(isRole),
  ownerId: row.owner_id,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  revokedAt: row.revoked_at?.toISOString() ?? null,
});

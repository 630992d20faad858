import type { CodeView } from './views.dto.js';

export const CODE_COLUMNS =
  'code_id, batch_id, kind, label, channel, replaces, created_at, expires_at, revoked_at, used_at, device_id, key_hash';

export interface CodeRow {
  code_id: string;
  batch_id: string;
  kind: CodeView['kind'];
  label: string | null;
  channel: string;
  replaces: string | null;
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
  used_at: Date | null;
  device_id: string | null;
  key_hash: string | null;
}

export const viewOfCode = (row: CodeRow): CodeView => ({
  id: row.code_id,
  batchId: row.batch_id,
  kind: row.kind,
  label: row.label,
  channel: row.channel,
  replaces: row.replaces,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  revokedAt: row.revoked_at?.toISOString() ?? null,
  usedAt: row.used_at?.toISOString() ?? null,
  deviceId: row.device_id,
});

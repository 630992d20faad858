import { createHash } from 'node:crypto';
import { failpoint } from '#runtime/index.js';
import { targetName } from '#tuf/index.js';
import type { SmallFile } from '../catalogue.js';
import { fileNameOf, type RoleFile, type RoleFiles } from '../repository.js';
import type { InChannel } from './in-channel.js';

/** Superseded files stay for a handset that is in the middle of an update; roots stay for ever, to be walked. */
const KEPT_MS = 7 * 86_400_000;

/** The newest file of every role. */
export async function standingFiles({ tx, tenant, channel }: InChannel): Promise<RoleFiles> {
  const rows = await tx.query<{ role: string; version: number; bytes: Buffer }>(
    `select distinct on (role) role, version, bytes from ops.tuf_file
     where tenant = $1 and channel = $2 and role is not null order by role, version desc`,
    [tenant, channel],
  );
  return new Map(rows.map((row) => [row.role, row]));
}

/** @param digest what the timestamp, if there is one among the files, stands for */
export async function insertRoleFiles(at: InChannel, files: readonly RoleFile[], digest: string | null): Promise<void> {
  for (const file of files) {
    const { role, version, bytes } = file;
    await insertFile(at, {
      name: fileNameOf(file),
      role,
      version,
      bytes,
      digest: role === 'timestamp' ? digest : null,
    });
  }
}

/** Small targets lie below `targets/`, named by their digest. */
export async function insertTargets(at: InChannel, files: readonly SmallFile[]): Promise<void> {
  for (const { target, bytes } of files)
    await insertFile(at, { name: fileOf({ target }), role: null, version: null, bytes, digest: null });
}

const fileOf = ({ target }: Pick<SmallFile, 'target'>): string => `targets/${targetName(target)}`;

interface FileRow {
  name: string;
  role: string | null;
  version: number | null;
  bytes: Uint8Array;
  digest: string | null;
}

/** Only `timestamp.json` is ever replaced: every other name holds its version or its digest. */
async function insertFile({ tx, tenant, channel, now }: InChannel, file: FileRow): Promise<void> {
  const { name, role, version, bytes, digest } = file;
  failpoint('publish.file');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await tx.query(
    `insert into ops.tuf_file as f (tenant, channel, name, role, version, bytes, sha256, digest, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (tenant, channel, name) do update
     set version = excluded.version, bytes = excluded.bytes, sha256 = excluded.sha256, digest = excluded.digest,
       created_at = excluded.created_at`,
    [tenant, channel, name, role, version, bytes, sha256, digest, new Date(now)],
  );
}

/**
 * Forgets versions that were superseded a week ago, and targets that no publication of the last week has named: each
 * publication writes those that it names anew.
 * @param named targets of this publication
 */
export async function sweepFiles(at: InChannel, named: readonly SmallFile[]): Promise<void> {
  const { tx, tenant, channel, now } = at;
  const before = new Date(now - KEPT_MS);
  await tx.query(
    `delete from ops.tuf_file where tenant = $1 and channel = $2 and role is null and created_at < $3
       and name <> all($4::text[])`,
    [tenant, channel, before, named.map(fileOf)],
  );
  await tx.query(
    `delete from ops.tuf_file old where tenant = $1 and channel = $2 and role <> 'root' and exists (
       select 1 from ops.tuf_file newer where newer.tenant = old.tenant and newer.channel = old.channel
         and newer.role = old.role and newer.version > old.version and newer.created_at < $3)`,
    [tenant, channel, before],
  );
}

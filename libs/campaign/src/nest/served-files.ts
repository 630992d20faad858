import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { CampaignError } from '../errors.js';

export interface ServedFile {
  bytes: Buffer;
  /** Strong, of the bytes. */
  etag: string;
  digest: string | null;
}

export interface ServedTimestamp extends ServedFile {
  snapshotVersion: number;
  /** Of the snapshot, 12 hex digits. */
  digest: string;
}

export const TIMESTAMP = 'timestamp.json';
/** How long another process's publication may take to be seen here. */
const KEPT_MS = 1_000;

/** Metadata and small targets as they are served. The timestamp, asked for at every poll, is kept for a second. */
@Injectable()
export class ServedFiles {
  private readonly timestamps = new Map<string, { file: ServedTimestamp; until: number }>();
  private publications = 0;

  constructor(@Inject(Databases) private readonly databases: Databases) {}

  /** @throws CampaignError `tuf.not-found`, for an unknown tenant and channel alike */
  async file(tenant: string, channel: string, name: string): Promise<ServedFile> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ bytes: Buffer; sha256: string; digest: string | null }>(
        'select bytes, sha256, digest from ops.tuf_file where tenant = $1 and channel = $2 and name = $3',
        [tenant, channel, name],
      ),
    );
    if (row === undefined) throw new CampaignError('tuf.not-found', { name }, 'no such file in this repository');
    return { bytes: row.bytes, etag: `"${row.sha256}"`, digest: row.digest };
  }

  async timestamp(tenant: string, channel: string): Promise<ServedTimestamp> {
    const key = `${tenant}/${channel}`;
    const kept = this.timestamps.get(key);
    // Not the port's clock: this is about the age of an answer, which a test's clock does not change.
    if (kept !== undefined && performance.now() < kept.until) return kept.file;
    const before = this.publications;
    const until = performance.now() + KEPT_MS;
    const file = await this.file(tenant, channel, TIMESTAMP);
    const { signed } = JSON.parse(file.bytes.toString('utf8')) as {
      signed: { meta: { 'snapshot.json': { version: number } } };
    };
    const timestamp = { ...file, digest: file.digest ?? '', snapshotVersion: signed.meta['snapshot.json'].version };
    if (this.publications === before) this.timestamps.set(key, { file: timestamp, until });
    return timestamp;
  }

  /** To be called when a publication has been committed: it counts at once in this process. */
  forget(tenant: string, channel: string): void {
    this.publications += 1;
    this.timestamps.delete(`${tenant}/${channel}`);
  }
}

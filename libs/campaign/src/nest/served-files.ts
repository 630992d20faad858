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

export interface Repository {
  tenant: string;
  channel: string;
}

export const TIMESTAMP = 'timestamp.json';
/** Where a timestamp is served, as agents write it. */
const timestampUrl = ({ tenant, channel }: Repository): string => `/tuf/${tenant}/${channel}/${TIMESTAMP}`;

/** How long another process's publication may take to be seen here. */
const KEPT_MS = 1_000;
/** From then on it is read anew while it is still served, so that no poll has to wait. */
const RENEWED_MS = 500;

interface KeptTimestamp {
  at: Repository;
  file: ServedTimestamp;
  readAt: number;
  isRenewed: boolean;
}

/** Metadata and small targets as they are served. The timestamp, asked for at every poll, is kept for a second. */
@Injectable()
export class ServedFiles {
  /** By their address: those of channels that exist. */
  private readonly timestamps = new Map<string, KeptTimestamp>();
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

  /** @throws CampaignError `tuf.not-found`, for an unknown tenant and channel alike */
  async timestamp(at: Repository): Promise<ServedTimestamp> {
    return this.knownTimestamp(timestampUrl(at))?.file ?? this.readTimestamp(at);
  }

  /** The same where nobody has to be asked; undefined where the database has to, and for any other address. */
  knownTimestamp(url: string): { at: Repository; file: ServedTimestamp } | undefined {
    const kept = this.timestamps.get(url);
    if (kept === undefined) return undefined;
    // Not the port's clock: this is about the age of an answer, which a test's clock does not change.
    const age = performance.now() - kept.readAt;
    if (age >= KEPT_MS) return undefined;
    if (age >= RENEWED_MS && !kept.isRenewed) {
      kept.isRenewed = true;
      this.readTimestamp(kept.at).catch(() => undefined); // whoever asks when it is too old hears why
    }
    return kept;
  }

  private async readTimestamp(at: Repository): Promise<ServedTimestamp> {
    const before = this.publications;
    const readAt = performance.now();
    const file = await this.file(at.tenant, at.channel, TIMESTAMP);
    const { signed } = JSON.parse(file.bytes.toString('utf8')) as {
      signed: { meta: { 'snapshot.json': { version: number } } };
    };
    const timestamp = { ...file, digest: file.digest ?? '', snapshotVersion: signed.meta['snapshot.json'].version };
    if (this.publications !== before) return timestamp;
    const url = timestampUrl(at);
    const kept = this.timestamps.get(url)?.file;
    // What is made of a file, and kept with it, holds as long as the file is the same.
    this.timestamps.set(url, { at, file: kept?.etag === timestamp.etag ? kept : timestamp, readAt, isRenewed: false });
    return timestamp;
  }

  /** To be called when a publication has been committed: it counts at once in this process. */
  forget(tenant: string, channel: string): void {
    this.publications += 1;
    this.timestamps.delete(timestampUrl({ tenant, channel }));
  }
}

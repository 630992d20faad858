import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { Recent } from '#runtime/index.js';
import type { Digests } from '../ddi/bodies.js';
import { digestsOf, FileStore } from './file-store.js';

const KNOWN_AT_MOST = 10_000;

/**
 * SHA-1 and MD5 of contents, which hawkBit clients compare. Computed with the SHA-256 when an upload is published, and
 * of contents from before at the first question; they follow from the bytes, so a lost row costs that once more.
 */
@Injectable()
export class ContentDigests {
  private readonly known = new Recent<string, Promise<Digests>>(KNOWN_AT_MOST);

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(FileStore) private readonly files: FileStore,
  ) {}

  of(tenant: string, sha256: string): Promise<Digests> {
    const key = `${tenant}/${sha256}`;
    const known = this.known.get(key) ?? this.load(tenant, sha256);
    this.known.set(key, known);
    known.catch(() => this.known.delete(key)); // whoever asks gets the error, the next one asks again
    return known;
  }

  async keep(tenant: string, { sha256, sha1, md5 }: Digests): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query(
        `insert into ops.content_digest (tenant, sha256, sha1, md5) values ($1, $2, $3, $4) on conflict do nothing`,
        [tenant, sha256, sha1, md5],
      ),
    );
  }

  private async load(tenant: string, sha256: string): Promise<Digests> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ sha1: string; md5: string }>(
        'select sha1, md5 from ops.content_digest where tenant = $1 and sha256 = $2',
        [tenant, sha256],
      ),
    );
    if (row !== undefined) return { ...row, sha256 };
    const computed = await digestsOf(this.files.pathOf(sha256));
    await this.keep(tenant, computed);
    return computed;
  }
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Databases } from '#event-log/nest/event-log.module.js';
import { Cursors, type PageQuery } from '#runtime/nest/runtime.module.js';
import { FileStore } from './file-store.js';
import type { UploadsPage, UploadView } from './upload-view.dto.js';

/** One page of a tenant's open uploads, newest first. */
export class ListUploads extends Query<UploadsPage> {
  constructor(
    readonly tenant: string,
    readonly page: PageQuery,
  ) {
    super();
  }
}

interface Row {
  upload_id: string;
  size_bytes: string;
  file_name: string | null;
  created_by: string;
  created_at: Date;
}

@QueryHandler(ListUploads)
export class ListUploadsHandler implements IQueryHandler<ListUploads> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  async execute({ tenant, page }: ListUploads): Promise<UploadsPage> {
    const list = `uploads:${tenant}`;
    const [before = null] = this.cursors.after(list, page) ?? [];
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<Row>(
        `select upload_id, size_bytes, file_name, created_by, created_at from ops.upload
         where tenant = $1 and ($2::uuid is null or upload_id < $2) order by upload_id desc limit $3`,
        [tenant, before, page.limit + 1],
      ),
    );
    const { items, next } = this.cursors.page(list, page, rows, ({ upload_id: id }) => [id]);
    return { items: await Promise.all(items.map((row) => this.viewOf(row))), next };
  }

  /** How much is here, the file alone knows. */
  private async viewOf(row: Row): Promise<UploadView> {
    const file = await stat(path.join(this.files.uploads, row.upload_id)).catch(() => undefined); // gone meanwhile
    const sizeBytes = Number(row.size_bytes);
    const offsetBytes = file?.size ?? 0;
    return {
      uploadId: row.upload_id,
      fileName: row.file_name,
      sizeBytes,
      offsetBytes,
      percent: sizeBytes === 0 ? 100 : Math.floor((offsetBytes / sizeBytes) * 1_000) / 10,
      createdBy: row.created_by,
      createdAt: row.created_at.toISOString(),
      changedAt: (file?.mtime ?? row.created_at).toISOString(),
    };
  }
}

import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { Server } from '@tus/server';
import type { EventContext } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, isId, newId } from '#runtime/index.js';
import { CLOCK, problemOf } from '#runtime/nest/runtime.module.js';
import { CampaignError, refusal } from '../errors.js';
import { readUploadMetadata, type UploadLabel } from '../upload-metadata.js';
import { FileStore, hasNoRoom, NO_ROOM } from './file-store.js';
import { UploadFiles } from './upload-files.js';

export const UPLOADS_PATH = '/v1/uploads';

export interface UploadRow {
  upload_id: string;
  size_bytes: number;
  sha256: string | null;
}

type TusRequest = Parameters<NonNullable<Server['options']['onUploadCreate']>>[0];
const incomingOf = (request: TusRequest): IncomingMessage => request.runtime?.node?.req as unknown as IncomingMessage;

/** A disk is not empty again at once. */
const RETRY_SECONDS = '30';

/** The protocol's own refusals (offset, length, version) keep their status and get a problem document. */
class TusServer extends Server {
  override write(...[context, headers, status, body = '']: Parameters<Server['write']>): ReturnType<Server['write']> {
    if (status < 400) return super.write(context, headers, status, body);
    headers.set('content-type', 'application/problem+json');
    if (status === 503) headers.set('retry-after', RETRY_SECONDS);
    const refused = new CampaignError(status === 503 ? 'upload.unavailable' : 'upload.protocol', {}, body.trim());
    const problem = problemOf(refused, randomBytes(16).toString('hex'), status);
    return super.write(context, headers, status, JSON.stringify(problem));
  }
}

/**
 * Resumable uploads by tus 1.0. The bytes lie in `uploads/<id>`, whatever the client calls them; whose they are is a row.
 * An upload is cut off and goes on at any byte; nothing of it is visible to others before it becomes a content.
 */
@Injectable()
export class Uploads {
  private readonly tus: Server;
  /** What the guard and the checks know of a request that tus is creating an upload for. */
  private readonly creating = new WeakMap<IncomingMessage, { context: EventContext; label: UploadLabel }>();

  constructor(
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.tus = new TusServer({
      path: UPLOADS_PATH,
      datastore: new UploadFiles({ directory: files.uploads }),
      relativeLocation: true,
      namingFunction: () => newId(),
      onResponseError: (_, error) => (hasNoRoom(error) ? { status_code: 503, body: NO_ROOM } : undefined),
      onUploadCreate: (request, upload) => this.insert(request, upload.id, upload.size ?? 0),
    });
  }

  /** @throws CampaignError `upload.version`, `upload.name`, `upload.digest` */
  async create(context: EventContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireOurVersion(request, response);
    if (request.headers['upload-defer-length'] !== undefined)
      throw refusal('upload.size', '/upload-defer-length', 'say the length when the upload is created');
    const label = readUploadMetadata(request.headers['upload-metadata']?.toString());
    this.creating.set(request, { context, label });
    await this.tus.handle(request, response);
  }

  /** HEAD, PATCH and DELETE of the tenant's own upload. @throws CampaignError `upload.unknown`, `upload.version` */
  async handle(tenant: string, uploadId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.find(tenant, uploadId);
    requireOurVersion(request, response);
    await this.tus.handle(request, response);
    if (request.method === 'DELETE' && response.statusCode < 300) await this.forget(tenant, uploadId);
  }

  /** @throws CampaignError `upload.unknown`, for another tenant's upload alike */
  async find(tenant: string, uploadId: string): Promise<UploadRow & { file: string }> {
    const row = isId(uploadId) ? await this.row(tenant, uploadId) : undefined;
    if (row === undefined)
      throw new CampaignError('upload.unknown', { uploadId }, 'no such upload', [
        { pointer: '/uploadId', message: 'no such upload' },
      ]);
    return { ...row, file: path.join(this.files.uploads, uploadId) };
  }

  /** Drops the row, then the files. Repeating is harmless. */
  async forget(tenant: string, uploadId: string): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query('delete from ops.upload where tenant = $1 and upload_id = $2', [tenant, uploadId]),
    );
    const file = path.join(this.files.uploads, uploadId);
    await Promise.all([rm(file, { force: true }), rm(`${file}.json`, { force: true })]);
  }

  private async row(tenant: string, uploadId: string): Promise<UploadRow | undefined> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<UploadRow>('select upload_id, size_bytes, sha256 from ops.upload where tenant = $1 and upload_id = $2', [
        tenant,
        uploadId,
      ]),
    );
    return row;
  }

  private async insert(request: TusRequest, uploadId: string, sizeBytes: number): Promise<object> {
    const known = this.creating.get(incomingOf(request));
    if (known === undefined) throw new Error('an upload is created by its route only');
    const { context, label } = known;
    await this.databases.actor.inTenant(context.tenant, (tx) =>
      tx.query(
        `insert into ops.upload (tenant, upload_id, size_bytes, sha256, file_name, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [context.tenant, uploadId, sizeBytes, label.sha256, label.fileName, context.actor, new Date(this.clock.now())],
      ),
    );
    return {};
  }
}

const TUS_VERSION = '1.0.0';

/** Another version is a 412 that names ours (tus 1.0, Tus-Resumable); the library would say 400. @throws CampaignError `upload.version` */
function requireOurVersion({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers['tus-resumable'] === TUS_VERSION) return;
  response.setHeader('tus-version', TUS_VERSION);
  throw refusal('upload.version', '/tus-resumable', `this server speaks tus ${TUS_VERSION}`);
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, execute, PostgresLog } from '#event-log/index.js';
import { currentTrial, inEarnest } from '#runtime/index.js';
import { contentDecider, type ContentState } from '../content.js';
import { checkDescription } from '../description.js';
import { CampaignError, refusal } from '../errors.js';
import type { ContentEvent } from '../events.js';
import type { PublishContentDto } from './content.dto.js';
import { ContentDigests } from './content-digests.js';
import { type ContentView, viewOfContent } from './content-view.dto.js';
import { digestsOf, FileStore, sizeOf } from './file-store.js';
import { LiveBoard } from './live-board.js';
import { Uploads } from './uploads.js';

export type ContentOrder =
  | { type: 'PublishUpload'; data: PublishContentDto }
  | { type: 'WithdrawContent'; data: { contentId: string; reason: string } };

export class RunContent extends Command<ContentView> {
  constructor(
    readonly order: ContentOrder,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RunContent)
export class RunContentHandler implements ICommandHandler<RunContent> {
  constructor(
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Uploads) private readonly uploads: Uploads,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(ContentDigests) private readonly digests: ContentDigests,
  ) {}

  execute({ order, context }: RunContent): Promise<ContentView> {
    return order.type === 'PublishUpload' ? this.publish(order.data, context) : this.run(order, context);
  }

  /**
   * An upload becomes at most one content, which has its id; so a repeated order finds what the first one did. The bytes
   * are durable under their digest before the event says that they exist.
   * @throws CampaignError `upload.unknown`, `upload.incomplete`, `upload.digest`, `content.exists`
   */
  private async publish(data: PublishContentDto, context: EventContext): Promise<ContentView> {
    checkDescription(data.description);
    const { schema, contents } = await this.board.tenant(context.tenant);
    const done = contents.get(data.uploadId)?.published;
    // Hashing takes its time, and a trial would hold a connection of the pool meanwhile: it has none before this is done.
    const finished = done ? undefined : await inEarnest(() => this.finished(data, context.tenant));
    const { sha256, sizeBytes } = done ?? finished!;
    const file = finished?.file;
    const description = { ...data.description, sizeBytes };
    const content = { contentId: data.uploadId, description, selector: data.selector, sha256, sizeBytes };
    const command = { type: 'PublishContent' as const, data: plain(content), schema };
    if (currentTrial() !== undefined) return this.run(command, context); // the bytes stay where they are
    if (file !== undefined) {
      contentDecider.decide(contentDecider.initial, command); // refused before anything is stored
      await this.files.adopt(file, sha256);
    }
    const view = await this.run(command, context);
    if (finished !== undefined) {
      await this.files.keep(finished.file, sha256);
      await this.digests.keep(context.tenant, finished);
    }
    await this.uploads.forget(context.tenant, data.uploadId);
    return view;
  }

  private async finished({ uploadId, sha256 }: PublishContentDto, tenant: string) {
    const upload = await this.uploads.find(tenant, uploadId);
    if ((await sizeOf(upload.file)) !== upload.size_bytes)
      throw refusal('upload.incomplete', '/uploadId', 'the upload has not all of its bytes: resume it');
    const digests = await digestsOf(upload.file);
    const found = digests.sha256;
    for (const [pointer, announced] of Object.entries({ '/sha256': sha256, '/uploadId': upload.sha256 }))
      if (announced && announced !== found)
        throw refusal('upload.digest', pointer, `the bytes have the sha-256 ${found}`);
    return { ...digests, sizeBytes: upload.size_bytes, file: upload.file };
  }

  private async run(command: Parameters<typeof contentDecider.decide>[1], context: EventContext): Promise<ContentView> {
    const { contentId } = command.data;
    const { state, version } = await execute<ContentState, typeof command, ContentEvent>(
      this.log,
      contentDecider,
      { subject: contentId },
      command,
      context,
    );
    if (state.published === null) throw new CampaignError('content.unknown', { contentId });
    return viewOfContent(state, version);
  }
}

/** DTOs are classes; an event is plain JSON, without what is undefined. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

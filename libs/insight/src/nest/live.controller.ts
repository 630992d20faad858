import type { Server } from 'node:http';
import {
  Controller,
  Get,
  Headers,
  Inject,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Query,
  Res,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiHeader, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { encodePosition, TOPICS, type Topic } from '#event-log/index.js';
import { EventCatalog, TailLog } from '#event-log/nest/event-log.module.js';
import { type Permission, permits, type Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { type Log } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import { EventStream } from '../event-stream.js';
import { EndWatch, follow } from '../live.js';
import { LiveQuery } from './events.dto.js';
import { readPosition } from '../read-position.js';
import { eventView } from './event-view.js';

/** Streams that one process serves at a time. */
const STREAMS = 200;

/** Topics whose facts other routes show to who may read these things; the others are for readers of the whole log. */
const SHOWN: Partial<Record<Topic, Permission>> = {
  'muster.content': 'content:read',
  'muster.campaign': 'campaign:read',
  'muster.handset': 'device:read',
  'muster.device': 'device:read',
};
const maySee = (caller: Principal, topic: Topic): boolean => permits(caller, SHOWN[topic] ?? 'event:read');

@Controller('v1/live')
@UseGuards(PeopleGuard)
export class LiveController implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly watch: EndWatch;
  private readonly open = new Set<EventStream>();
  private watching: NodeJS.Timeout | undefined;

  constructor(
    @Inject(TailLog) private readonly log: TailLog,
    @Inject(EventCatalog) private readonly catalog: EventCatalog,
    @Inject(LOG) private readonly logger: Log,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {
    this.watch = new EndWatch(log);
  }

  /**
   * The tenant's events as server-sent events, as they come; personal fields are null. Ids are positions: a client that
   * sends the last one back as `Last-Event-ID` goes on where it stopped.
   */
  @Get()
  @Needs('campaign:read')
  @ApiOkResponse({ content: { 'text/event-stream': { schema: { type: 'string' } } } })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The last id that was seen.' })
  async live(
    @Caller() caller: Principal,
    @Query() { topic }: LiveQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const from =
      lastEventId === undefined || lastEventId === '' ? undefined : readPosition(lastEventId, '/last-event-id');
    if (this.open.size >= STREAMS) throw new InsightError('live.too-many', { limit: STREAMS });
    const topics = TOPICS.filter((each) => maySee(caller, each) && (topic === undefined || topic.includes(each)));
    reply.hijack();
    const stream = new EventStream(reply.raw);
    this.open.add(stream);
    try {
      const following = { tenant: caller.tenant, topics, from, signal: stream.signal };
      for await (const { record, position } of follow({ log: this.log, watch: this.watch }, following)) {
        const view = eventView(record, this.catalog.definitions, false);
        if (!(await stream.send(encodePosition(position), view.name, JSON.stringify(view)))) break;
      }
    } catch (err) {
      this.logger.warn('live.ended', { err }); // the client comes back with its position
    } finally {
      stream.end();
      this.open.delete(stream);
    }
  }

  /** A server that closes waits for its requests, and these would never end by themselves. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    server.once('listening', () => {
      this.watching = setInterval(() => {
        if (!server.listening) this.onModuleDestroy();
      }, 200);
      this.watching.unref();
    });
  }

  onModuleDestroy(): void {
    clearInterval(this.watching);
    for (const stream of this.open) stream.end();
  }
}

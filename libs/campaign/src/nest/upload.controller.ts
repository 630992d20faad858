import { Controller, Delete, Get, Head, Inject, Param, Patch, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { NeverDry, PageQuery, StreamsBody } from '#runtime/nest/runtime.module.js';
import { ListUploads } from './list-uploads.handler.js';
import { UploadsPage } from './upload-view.dto.js';
import { Uploads } from './uploads.js';

/** Uploads of any size by tus 1.0 (https://tus.io/protocols/resumable-upload): creation, termination, creation-with-upload. */
@Controller('v1/uploads')
@UseGuards(PeopleGuard)
export class UploadController {
  constructor(
    @Inject(Uploads) private readonly uploads: Uploads,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's uploads that have not become contents, newest first, and how far they are. */
  @Get()
  @Needs('content:write')
  list(@Query() page: PageQuery, @Caller() { tenant }: Principal): Promise<UploadsPage> {
    return this.queries.execute(new ListUploads(tenant, page));
  }

  /** Creates an upload. `Upload-Metadata` may hold `filename` (a label) and `sha256` (hex, checked at publication). */
  @Post()
  @Needs('content:write')
  @NeverDry()
  @StreamsBody()
  create(@Context() context: EventContext, @Req() { raw }: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return handOver(reply, () => this.uploads.create(context, raw, reply.raw));
  }

  /** How much of the upload is here: `Upload-Offset`. */
  @Head(':uploadId')
  @Needs('content:write')
  offset(
    @Param('uploadId') uploadId: string,
    @Caller() { tenant }: Principal,
    @Req() { raw }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return handOver(reply, () => this.uploads.handle(tenant, uploadId, raw, reply.raw));
  }

  /** Appends bytes at `Upload-Offset`. */
  @Patch(':uploadId')
  @Needs('content:write')
  @NeverDry()
  @StreamsBody()
  append(
    @Param('uploadId') uploadId: string,
    @Caller() { tenant }: Principal,
    @Req() { raw }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return handOver(reply, () => this.uploads.handle(tenant, uploadId, raw, reply.raw));
  }

  /** Drops an upload. */
  @Delete(':uploadId')
  @Needs('content:write')
  @NeverDry()
  drop(
    @Param('uploadId') uploadId: string,
    @Caller() { tenant }: Principal,
    @Req() { raw }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return handOver(reply, () => this.uploads.handle(tenant, uploadId, raw, reply.raw));
  }
}

/** tus writes the answer itself; what is refused before it begins goes to the problem filter, as everywhere. */
async function handOver(reply: FastifyReply, work: () => Promise<void>): Promise<void> {
  await work();
  reply.hijack();
}

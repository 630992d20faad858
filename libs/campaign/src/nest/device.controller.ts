import {
  Body,
  Controller,
  Get,
  Head,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AVAILABILITY_LIMITS, LIMITS, TRIGGER_HEADER } from '#device-protocol/index.js';
import { Device, DeviceGuard, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { BodyLimit } from '#runtime/nest/runtime.module.js';
import { Availability } from './availability.js';
import { ContentParams } from './content.dto.js';
import {
  AvailabilityAnswerDto,
  AvailabilityDto,
  ContentRequestsAnswerDto,
  ContentRequestsDto,
  DeclinesDto,
  FactBatchAnswerDto,
  FactBatchDto,
} from './device.dto.js';
import { DeviceFacts } from './device-facts.js';
import { Exchange } from './exchange.js';
import { InboxAnswers } from './inbox-answers.js';
import { Transfers } from './transfers.js';

/** What a handset asks by its certificate. Prose: deploy/protocol.md. */
@Controller('d/v1')
@UseGuards(DeviceGuard)
export class DeviceController {
  constructor(
    @Inject(Exchange) private readonly exchange: Exchange,
    @Inject(Availability) private readonly availability: Availability,
    @Inject(DeviceFacts) private readonly facts: DeviceFacts,
    @Inject(InboxAnswers) private readonly inbox: InboxAnswers,
    @Inject(Transfers) private readonly transfers: Transfers,
  ) {}

  /** Identifiers of what fits → for each a grant, or the gate that holds. */
  @Post('requests')
  @HttpCode(200)
  @BodyLimit(LIMITS.requestsBody)
  request(@Body() body: ContentRequestsDto, @Device() device: DeviceIdentity): Promise<ContentRequestsAnswerDto> {
    return this.exchange.request(device, body);
  }

  /** Server-side matching: what the device is → what fits it. `Muster-Trigger` says which stored rule asks. */
  @Post('availability')
  @HttpCode(200)
  @BodyLimit(AVAILABILITY_LIMITS.body)
  async available(
    @Body() body: AvailabilityDto,
    @Device() device: DeviceIdentity,
    @Headers(TRIGGER_HEADER) trigger: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AvailabilityAnswerDto> {
    const { answer, headers } = await this.availability.answer(device, trigger, body);
    void reply.headers(headers);
    return answer as AvailabilityAnswerDto;
  }

  /** What was described and is not taken, with a reason from the closed list. */
  @Post('declines')
  @HttpCode(204)
  @BodyLimit(LIMITS.declinesBody)
  decline(@Body() body: DeclinesDto, @Device() device: DeviceIdentity): Promise<void> {
    return this.exchange.decline(device, body);
  }

  /** Facts of the handset's queue → the highest sequence that is held. Answered when they are durable. */
  @Post('facts')
  @HttpCode(200)
  @BodyLimit(LIMITS.factsBody)
  report(@Body() { facts }: FactBatchDto, @Device() device: DeviceIdentity): Promise<FactBatchAnswerDto> {
    return this.facts.accept(device, facts);
  }

  /** What is for this device alone. Its ETag comes with every poll as `Muster-Inbox`. */
  @Get('inbox')
  readInbox(
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.inbox.send(device, request, reply);
  }

  @Head('contents/:contentId')
  describe(
    @Param() { contentId }: ContentParams,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.transfers.describe(device, contentId, request, reply);
  }

  /** Bytes of a content, by `Authorization: Grant <jws>`; `Range` and `If-Range` as RFC 9110. */
  @Get('contents/:contentId')
  send(
    @Param() { contentId }: ContentParams,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.transfers.send(device, contentId, request, reply);
  }
}

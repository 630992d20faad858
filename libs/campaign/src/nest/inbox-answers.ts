import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { sendConditional } from './conditional.js';
import { Inboxes } from './inbox.js';

/** The inbox over HTTP. */
@Injectable()
export class InboxAnswers {
  constructor(@Inject(Inboxes) private readonly inboxes: Inboxes) {}

  async send(device: DeviceIdentity, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { items, etag } = await this.inboxes.of(device);
    sendConditional(request, reply, { body: { items }, etag, headers: { 'cache-control': 'private, no-cache' } });
  }
}

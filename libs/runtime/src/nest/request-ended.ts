import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

/** Aborts when the request has been answered, or its client has gone. */
export const RequestEnded = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const ended = new AbortController();
  context
    .switchToHttp()
    .getResponse<FastifyReply>()
    .raw.once('close', () => ended.abort());
  return ended.signal;
});

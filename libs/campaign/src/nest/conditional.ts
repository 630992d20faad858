import type { FastifyReply, FastifyRequest } from 'fastify';
import { isHeld } from '../poll-answer.js';

/** Sends the body under its ETag. @returns false when the client has it already (304) */
export function sendConditional(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, etag, headers }: { body: Buffer | object; etag: string; headers: Record<string, string> },
): boolean {
  void reply.headers({ ...headers, etag });
  const held = isHeld(request.headers['if-none-match'], etag);
  void (held ? reply.status(304).send() : reply.send(body));
  return !held;
}

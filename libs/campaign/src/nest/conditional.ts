import type { FastifyReply, FastifyRequest } from 'fastify';

/** `If-None-Match` (RFC 9110 §13.1.2): a list, compared weakly. */
const holds = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  header
    .slice(0, 2_048)
    .split(',')
    .map((each) => each.trim().replace(/^W\//, ''))
    .some((each) => each === etag || each === '*');

/** Sends the body under its ETag. @returns false when the client has it already (304) */
export function sendConditional(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, etag, headers }: { body: Buffer | object; etag: string; headers: Record<string, string> },
): boolean {
  void reply.headers({ ...headers, etag });
  const isHeld = holds(request.headers['if-none-match'], etag);
  void (isHeld ? reply.status(304).send() : reply.send(body));
  return !isHeld;
}

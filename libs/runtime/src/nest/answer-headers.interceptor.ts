import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { etagOf } from './preconditions.js';

/** Gives answers the headers that follow from their body: `ETag` from `version` (and 304 on a match), `Link` from `next`. */
@Injectable()
export class AnswerHeaders implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const http = context.switchToHttp();
    return next
      .handle()
      .pipe(
        map((body: unknown) => headersFor(body, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>())),
      );
  }
}

function headersFor(body: unknown, request: FastifyRequest, reply: FastifyReply): unknown {
  if (typeof body !== 'object' || body === null || reply.raw.headersSent) return body;
  if ('next' in body && typeof body.next === 'string' && 'items' in body) {
    const url = new URL(request.url, 'http://localhost');
    url.searchParams.set('cursor', body.next);
    void reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
  }
  if (!('version' in body) || typeof body.version !== 'number') return body;
  const etag = etagOf(body.version);
  void reply.header('etag', etag);
  if (request.method !== 'GET' || request.headers['if-none-match'] !== etag) return body;
  void reply.status(304);
  return undefined;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';

/**
 * Answers at once what it knows, before Fastify and Nest see the request.
 * @returns false for whatever it does not know: the request is then untouched, and the ordinary route has the rules
 */
export type ShortCut = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Where a room puts the short cut of a hot route on the handset's port. */
@Injectable()
export class ShortCuts {
  private readonly known: ShortCut[] = [];

  add(shortCut: ShortCut): void {
    this.known.push(shortCut);
  }

  take(request: IncomingMessage, response: ServerResponse): boolean {
    return this.known.some((each) => each(request, response));
  }
}

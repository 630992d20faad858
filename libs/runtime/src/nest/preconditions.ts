import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';

export type PreconditionErrorCode = 'precondition.required' | 'precondition.failed' | 'precondition.malformed';
/** A conditional request whose condition is missing, unreadable or does not hold. */
export class PreconditionError extends DomainError<PreconditionErrorCode> {}

/** Strong ETag of a mutable resource: the version of its stream or row. */
export const etagOf = (version: number): string => `"v${version}"`;

/**
 * The version that `If-Match` names: `@IfMatch() version: number | undefined`; undefined for `*`, whatever version it has.
 * @throws PreconditionError `precondition.required` (428), `precondition.malformed` (400)
 */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext) =>
  readIfMatch(context.switchToHttp().getRequest<FastifyRequest>().headers['if-match']),
);

export function readIfMatch(header: string | undefined): number | undefined {
  const fields = [{ pointer: '/if-match', message: 'the ETag that the resource was read with, e.g. "v17"' }];
  if (header === undefined) throw new PreconditionError('precondition.required', {}, 'If-Match is missing', fields);
  if (header.trim() === '*') return undefined;
  const version = /^"v([0-9]{1,15})"$/.exec(header.trim())?.[1];
  if (version === undefined)
    throw new PreconditionError('precondition.malformed', {}, 'If-Match is not one strong ETag of ours', fields);
  return Number(version);
}

/** Refuses a change of something that has moved on. @throws PreconditionError `precondition.failed` (412) */
export function requireVersion(named: number | undefined, current: number): void {
  if (named !== undefined && named !== current)
    throw new PreconditionError('precondition.failed', { current }, 'it has changed since');
}

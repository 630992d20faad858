import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { supportsAsOf } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';

/** Refuses `as_of` on every route that is not marked: an answer for now must not pass for one of then. */
@Injectable()
export class AsOfGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const { query } = context.switchToHttp().getRequest<FastifyRequest<{ Querystring: Record<string, unknown> }>>();
    const isAsked = typeof query === 'object' && query !== null && Object.hasOwn(query, 'as_of');
    if (isAsked && !supportsAsOf(this.reflector, context.getHandler()))
      throw new InsightError('as-of.unsupported', {}, 'this route answers for now only', [
        { pointer: '/as_of', message: 'leave it out here' },
      ]);
    return true;
  }
}

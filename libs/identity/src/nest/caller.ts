import { createHash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import { idempotencyKey, traceOf } from '#runtime/nest/runtime.module.js';
import { IdentityError } from '../errors.js';
import type { Principal } from '../roles.js';

/** A request's caller, put there by a guard alone: no header or body can name one. */
const callers = new WeakMap<object, Principal>();

export const setPrincipal = (request: FastifyRequest, principal: Principal): void => {
  callers.set(request.raw, principal);
};

/** @returns undefined on routes that no PeopleGuard protects */
export const principalOf = (request: Pick<FastifyRequest, 'raw'>): Principal | undefined => callers.get(request.raw);

/** @throws IdentityError `auth.required` */
export function requirePrincipal(request: Pick<FastifyRequest, 'raw'>): Principal {
  const principal = principalOf(request);
  if (principal === undefined) throw new IdentityError('auth.required');
  return principal;
}

/** `@Caller() caller: Principal` */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext) =>
  requirePrincipal(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** `@Context() context: EventContext`: who does it, for the events that follow from the request. */
export const Context = createParamDecorator((_: unknown, context: ExecutionContext) =>
  contextOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** The same Idempotency-Key by the same caller on the same route is the same command. */
export function contextOf(request: FastifyRequest): EventContext {
  const { tenant, kind, id } = requirePrincipal(request);
  const actor = `${kind}:${id}`;
  const key = idempotencyKey(request);
  if (key === undefined) return { tenant, actor, ...newCommand(request) };
  const [path = ''] = request.url.split('?');
  const scope = [tenant, actor, request.method, path, key].join('\n');
  const commandId = createHash('sha256').update(scope).digest('hex');
  return { tenant, actor, ...newCommand(request), commandId };
}

/** What a request without a caller, a login or an enrolment, gives to its events. */
export function newCommand(request: FastifyRequest): Omit<EventContext, 'tenant' | 'actor'> {
  const { traceId, traceparent } = traceOf(request.raw);
  return { commandId: newId(), correlationId: traceId, traceparent };
}

import type { FastifyRequest } from 'fastify';
import { RouteSetting } from '#runtime/nest/runtime.module.js';
import { principalOf } from './caller.js';

/** Marks a route whose answer holds a secret that is shown once: nobody may store the answer. */
export const ShowsSecret = (): MethodDecorator => RouteSetting({ showsSecret: true });

/**
 * Whose Idempotency-Key it is, for a store of answers.
 * @returns undefined without a caller, and where the answer must not be stored
 */
export function idempotentCaller(request: FastifyRequest): { tenant: string; caller: string } | undefined {
  const principal = principalOf(request);
  const { showsSecret } = request.routeOptions.config as { showsSecret?: boolean };
  if (principal === undefined || showsSecret === true) return undefined;
  return { tenant: principal.tenant, caller: `${principal.kind}:${principal.id}` };
}

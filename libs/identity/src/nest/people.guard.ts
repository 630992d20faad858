import { type CanActivate, type ExecutionContext, Inject, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { IdentityError } from '../errors.js';
import { parseCredential } from '../credentials.js';
import { type Permission, permits, type Principal } from '../roles.js';
import { setPrincipal } from './caller.js';
import { Credentials } from './credentials.js';

interface Need {
  permission: Permission | 'signed-in';
  byDomain: boolean;
}
const NEED = Symbol('need');

/** What a route asks of its caller. A guarded route without it lets nobody in. */
export const Needs = (permission: Permission): MethodDecorator & ClassDecorator =>
  SetMetadata(NEED, { permission, byDomain: false } satisfies Need);

/**
 * Also lets people in who are confined to a security domain: the handler itself then asks
 * `permits(caller, permission, domain of the object)`.
 */
export const NeedsInDomain = (permission: Permission): MethodDecorator & ClassDecorator =>
  SetMetadata(NEED, { permission, byDomain: true } satisfies Need);

/** For routes about the caller alone. */
export const SignedIn = (): MethodDecorator & ClassDecorator =>
  SetMetadata(NEED, { permission: 'signed-in', byDomain: true } satisfies Need);

/** Lets people and tokens in: `Authorization: Bearer`, looked up at every request, so that a revocation counts at once. */
@Injectable()
export class PeopleGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(Credentials) private readonly credentials: Credentials,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const need = this.reflector.getAllAndOverride<Need | undefined>(NEED, [context.getHandler(), context.getClass()]);
    const bearer = bearerOf(request.headers.authorization);
    if (bearer === undefined) throw new IdentityError('auth.required', {}, 'Authorization: Bearer <session or token>');
    const credential = parseCredential(bearer);
    const principal = credential === undefined ? undefined : await this.credentials.principal(credential);
    if (principal === undefined)
      throw new IdentityError('auth.invalid', {}, 'the session or token is not valid (any more)');
    if (need === undefined || !isLetIn(principal, need))
      throw new IdentityError('auth.forbidden', { needs: need?.permission ?? null }, 'the roles do not include it');
    setPrincipal(request, principal);
    return true;
  }
}

function isLetIn(principal: Principal, { permission, byDomain }: Need): boolean {
  if (permission === 'signed-in') return true;
  return permits(principal, permission, byDomain ? principal.domain : undefined);
}

export const bearerOf = (header: string | undefined): string | undefined =>
  /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1];

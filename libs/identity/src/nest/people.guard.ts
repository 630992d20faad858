import { type CanActivate, type ExecutionContext, Inject, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IdentityError } from '../errors.js';
import { parseCredential } from '../credentials.js';
import { type Permission, permits, type Principal } from '../roles.js';
import { setPrincipal } from './caller.js';
import { Credentials } from './credentials.js';
import { clearSessionCookie, refuseForeignPage, shownCredential } from './shown-credential.js';

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

/**
 * Lets people and tokens in: `Authorization: Bearer`, or for people the cookie of their session; looked up at every request, so
 * that a revocation counts at once.
 */
@Injectable()
export class PeopleGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(Credentials) private readonly credentials: Credentials,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const need = this.reflector.getAllAndOverride<Need | undefined>(NEED, [context.getHandler(), context.getClass()]);
    const principal = await this.principalOf(request, context.switchToHttp().getResponse<FastifyReply>());
    if (need === undefined || !isLetIn(principal, need))
      throw new IdentityError('auth.forbidden', { needs: need?.permission ?? null }, 'the roles do not include it');
    setPrincipal(request, principal);
    return true;
  }

  /** A cookie that is good no more is taken back, so that the browser shows the sign-in and not the same refusal again. */
  private async principalOf(request: FastifyRequest, reply: FastifyReply): Promise<Principal> {
    const shown = shownCredential(request);
    if (shown === undefined) throw new IdentityError('auth.required', {}, 'Authorization: Bearer <session or token>');
    if (shown.by === 'cookie') refuseForeignPage(request);
    const credential = parseCredential(shown.text);
    const isMeant = credential !== undefined && (shown.by === 'header' || credential.kind === 'session');
    const principal = isMeant ? await this.credentials.principal(credential) : undefined;
    if (principal !== undefined) return principal;
    if (shown.by === 'cookie') clearSessionCookie(request, reply);
    throw new IdentityError('auth.invalid', {}, 'the session or token is not valid (any more)');
  }
}

function isLetIn(principal: Principal, { permission, byDomain }: Need): boolean {
  if (permission === 'signed-in') return true;
  return permits(principal, permission, byDomain ? principal.domain : undefined);
}

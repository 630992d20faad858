import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Controllers, setDevice } from '#identity/nest/identity.module.js';

/** Lets hawkBit clients in: by a target token, a gateway token or a certificate, each looked up at every request. */
@Injectable()
export class DdiGuard implements CanActivate {
  constructor(@Inject(Controllers) private readonly controllers: Controllers) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { tenant = '', controllerId = '' } = request.params as Record<string, string>;
    setDevice(request, await this.controllers.identify(request, tenant, controllerId));
    return true;
  }
}

import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { DomainError } from '../errors.js';
import { asTrial } from '../trial.js';
import { HANDSET_ROUTES, isNeverDry } from './route-settings.js';

/** The name in a query, and of the answer's header that says that nothing has changed. */
const DRY_RUN = 'dry_run';
const DRY_RUN_HEADER = 'muster-dry-run';

/** Whether this is a change by people that is only to be tried: what devices report is a fact, and no wish. @throws DomainError `dry-run.malformed` */
export function isDryRun({ method, query, routeOptions }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD' || HANDSET_ROUTES.test(routeOptions.url ?? '')) return false;
  const asked = (query as Record<string, unknown> | undefined)?.[DRY_RUN];
  if (asked === undefined || asked === 'false') return false;
  if (asked === 'true') return true;
  throw new DomainError('dry-run.malformed', {}, 'true or false', [
    { pointer: `/${DRY_RUN}`, message: 'must be true or false' },
  ]);
}

/**
 * `?dry_run=true` on whatever people change: guards, validation and rules as ever, the same answer, and then everything is
 * taken back. One place for all commands, because it stands around their handlers.
 */
@Injectable()
export class DryRun implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const isDry = isDryRun(request);
    const query = request.query as Record<string, unknown> | undefined;
    if (request.method !== 'GET' && query !== undefined) delete query[DRY_RUN]; // no word of the routes' own queries
    if (!isDry) return next.handle();
    if (isNeverDry(request))
      throw new DomainError('dry-run.unsupported', {}, 'this cannot be tried: it is done, or it is not', [
        { pointer: `/${DRY_RUN}`, message: 'is not for this route' },
      ]);
    void context.switchToHttp().getResponse<FastifyReply>().header(DRY_RUN_HEADER, 'true');
    return from(asTrial(() => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}

import { createHash } from 'node:crypto';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  Optional,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, concatMap, from, type Observable, of, throwError } from 'rxjs';
import { DomainError } from '../errors.js';
import { isDryRun } from './dry-run.interceptor.js';
import { streamsBody } from './route-settings.js';
import { IDEMPOTENCY_STORE } from './tokens.js';

export type IdempotencyErrorCode = 'idempotency.key-malformed' | 'idempotency.key-reused' | 'idempotency.in-flight';
/** An Idempotency-Key that cannot be honoured; the command did not run again. */
export class IdempotencyError extends DomainError<IdempotencyErrorCode> {}

/** Whose key it is: the same text from another caller or on another route is another key. */
export interface IdempotencyScope {
  tenant: string;
  /** Hex of a sha-256 over caller, method, path and key. */
  id: string;
}

export interface StoredAnswer {
  status: number;
  body: unknown;
}

export type Claim =
  | { state: 'claimed' }
  | { state: 'in-flight' }
  | { state: 'answered'; bodyHash: string; answer: StoredAnswer };

/** Keeps answers for 24 hours. A claim that is never finished lapses after a minute, so that a crash does not block the retry. */
export interface IdempotencyStore {
  /** The caller of a request; undefined when there is none whose answers could be kept. */
  callerOf(request: FastifyRequest): { tenant: string; caller: string } | undefined;
  claim(scope: IdempotencyScope, bodyHash: string): Promise<Claim>;
  finish(scope: IdempotencyScope, answer: StoredAnswer): Promise<void>;
  release(scope: IdempotencyScope): Promise<void>;
}

/**
 * `Idempotency-Key` on POST: the same key with the same body gets the stored answer again, with another body 422, while
 * the first is still running 409. Only answers that changed something are stored: a refusal is decided anew.
 */
@Injectable()
export class Idempotency implements NestInterceptor {
  constructor(@Optional() @Inject(IDEMPOTENCY_STORE) private readonly store?: IdempotencyStore) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const key = idempotencyKey(request);
    const caller = this.store?.callerOf(request);
    const isKept = request.method === 'POST' && !streamsBody(request) && !isDryRun(request);
    if (this.store === undefined || key === undefined || caller === undefined || !isKept) return next.handle();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const bodyHash = sha256(JSON.stringify(request.body ?? null));
    const path = request.url.split('?')[0] ?? '';
    const scope = { tenant: caller.tenant, id: sha256([caller.caller, request.method, path, key].join('\n')) };
    return from(this.store.claim(scope, bodyHash)).pipe(
      concatMap((claim) =>
        claim.state === 'claimed' ? this.first(scope, reply, next) : of(replay(claim, bodyHash, reply)),
      ),
    );
  }

  private first(scope: IdempotencyScope, reply: FastifyReply, next: CallHandler): Observable<unknown> {
    const { store } = this;
    if (store === undefined) return next.handle();
    return next.handle().pipe(
      concatMap(async (body: unknown) => {
        // What was done is answered even when its answer cannot be kept: a retry would do it twice.
        await store.finish(scope, { status: reply.statusCode, body: body ?? null }).catch(() => undefined);
        return body;
      }),
      catchError((error: unknown) =>
        from(store.release(scope)).pipe(concatMap(() => throwError(() => error as Error))),
      ),
    );
  }
}

/**
 * The key of a request, quoted (as the draft writes it) or bare.
 * @throws IdempotencyError `idempotency.key-malformed`
 */
export function idempotencyKey(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = /^(?:"([\x21\x23-\x7e]{1,128})"|([\x21\x23-\x7e]{1,128}))$/.exec(String(header));
  if (key === null)
    throw new IdempotencyError(
      'idempotency.key-malformed',
      {},
      'Idempotency-Key is 1 to 128 visible ASCII characters',
      [{ pointer: '/idempotency-key', message: '1 to 128 visible ASCII characters, in quotes or not' }],
    );
  return key[1] ?? key[2];
}

function replay(claim: Exclude<Claim, { state: 'claimed' }>, bodyHash: string, reply: FastifyReply): unknown {
  if (claim.state === 'in-flight')
    throw new IdempotencyError('idempotency.in-flight', { retryAfterSeconds: 1 }, 'the first request is still running');
  if (claim.bodyHash !== bodyHash)
    throw new IdempotencyError('idempotency.key-reused', {}, 'the key was used with another body');
  void reply.status(claim.answer.status).header('idempotent-replayed', 'true');
  return claim.answer.body;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';
import type { Log } from '../log.js';
import { challengeOf, type Problem, PROBLEM_TYPE, problemOf, problemOfStatus } from '../problem.js';
import { traceOf } from '../trace.js';
import { LOG } from './tokens.js';

const RETRY_SECONDS = 5;

/** The only place that knows what a refusal is in HTTP. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Log) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = asProblem(thrown, request);
    if (problem.status >= 500) this.report(thrown, problem, request);
    sendProblem(reply, problem);
  }

  private report(thrown: unknown, { status, traceId }: Problem, { method, routeOptions }: FastifyRequest): void {
    const fields = { method, route: routeOptions?.url ?? null, status, traceId, err: thrown };
    this.log[status === 503 ? 'warn' : 'error']('request.failed', fields);
  }
}

type ProblemForm = (problem: Problem) => object | undefined;
const forms: { routes: RegExp; form: ProblemForm }[] = [];

/**
 * Routes of another protocol tell their refusals in its form, as JSON; without one, with an empty body. Also those that were refused
 * before a handler was asked.
 */
export function registerProblemForm(routes: RegExp, form: ProblemForm): void {
  forms.push({ routes, form });
}

/** Answers with a problem document, also from handlers that bypass Nest. A body that has begun can only be cut off. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return;
  }
  // Something that heals by itself: also a client that knows no back-off of its own must not come back at once.
  const retryAfter = problem.details?.retryAfterSeconds ?? (problem.status === 503 ? RETRY_SECONDS : undefined);
  if (typeof retryAfter === 'number') void reply.header('retry-after', String(Math.ceil(retryAfter)));
  if (problem.status === 401) void reply.header('www-authenticate', challengeOf(problem.code));
  void reply.status(problem.status);
  const route = reply.request.routeOptions.url;
  const other = route === undefined ? undefined : forms.find(({ routes }) => routes.test(route));
  if (other === undefined) void reply.header('content-type', PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
  else {
    const told = other.form(problem);
    if (told === undefined) void reply.send();
    else void reply.header('content-type', 'application/json').serializer(JSON.stringify).send(told);
  }
}

export function asProblem(thrown: unknown, request: FastifyRequest): Problem {
  const { traceId } = traceOf(request.raw);
  if (isDomainError(thrown)) {
    // A conflict over the version that the caller named is a failed precondition (RFC 9110 §13.1.1).
    if (request.headers['if-match'] !== undefined && thrown.code.endsWith('.version-conflict'))
      return problemOf(new DomainError('precondition.failed', thrown.details, 'it has changed since'), traceId);
    return problemOf(thrown, traceId);
  }
  if (thrown instanceof HttpException) return problemOfStatus(thrown.getStatus(), traceId, thrown.message);
  const status = statusOfFastify(thrown);
  return problemOfStatus(status, traceId, thrown instanceof Error ? thrown.message : undefined);
}

/** With its code as text: `instanceof` alone would leave it `any`. */
const isDomainError = (thrown: unknown): thrown is DomainError => thrown instanceof DomainError;

/** Fastify's own refusals (body over its limit, unreadable JSON …) carry a `statusCode`. */
function statusOfFastify(thrown: unknown): number {
  const status: unknown = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

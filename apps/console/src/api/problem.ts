import type { Problem } from './wire.js';

/** A field at fault, by JSON pointer. */
export interface FieldFault {
  pointer: string;
  message: string;
}

/** A refusal of the server, or none at all: `status` 0 means that it could not be asked. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: readonly FieldFault[] = [],
    readonly traceId?: string,
  ) {
    super(message);
  }

  /** What the form says at one field. */
  at(pointer: string): string | undefined {
    return this.fields.find((field) => field.pointer === pointer)?.message;
  }
}

const isFault = (value: unknown): value is FieldFault =>
  typeof value === 'object' && value !== null && 'pointer' in value && 'message' in value;

/** @param body as it was parsed; something in between may have answered instead of the server */
export function problemOf(status: number, body: unknown): ApiProblem {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>;
  const fields: unknown[] = Array.isArray(problem.errors) ? problem.errors : [];
  return new ApiProblem(
    status,
    problem.code ?? 'unknown',
    problem.detail ?? problem.title ?? `HTTP ${status}`,
    fields.filter(isFault),
    problem.traceId,
  );
}

export const unreachable = (): ApiProblem => new ApiProblem(0, 'unreachable', 'the server cannot be reached');

/** Whether asking again may help without anybody changing anything. */
export const isPassing = (error: unknown): boolean =>
  error instanceof ApiProblem && (error.status === 0 || error.status === 503 || error.status === 429);

/** What a refused request can say of one field. `pointer` is a JSON pointer into the input ('' is the whole). */
export interface FieldError {
  pointer: string;
  message: string;
}

/**
 * A refusal with a stable code. Rooms throw it, the edges (HTTP, CLI, handset port) translate it.
 * `code` is public and never changes meaning; `message` is for people. `details` carries no key material.
 */
export class DomainError<Code extends string = string> extends Error {
  override readonly name: string = 'DomainError';

  constructor(
    readonly code: Code,
    readonly details: Readonly<Record<string, unknown>> = {},
    message: string = code,
    /** Which fields of the input are at fault, for the problem document. */
    readonly fields: readonly FieldError[] = [],
  ) {
    super(message);
  }
}

/** For the end of a switch that the compiler has proved complete. */
export function impossible(value: never): never {
  throw new Error(`impossible: ${JSON.stringify(value)}`);
}

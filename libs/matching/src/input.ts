import type { FieldError } from '#runtime/index.js';

/** Questions that every reader of foreign input asks. */
export function isPlainObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/** A string with half of a surrogate pair has no UTF-8, so two implementations would not agree on it. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

export function utf8Length(text: string): number {
  return utf8(text).length;
}

/** JSON pointer to a member (RFC 6901). Names come from foreign text, hence cut. */
export const member = (pointer: string, name: string): string =>
  `${pointer}/${name.slice(0, 80).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** One fault for each member that is not known. */
export const strangers = (input: object, known: readonly string[], pointer: string): FieldError[] =>
  Object.keys(input)
    .filter((key) => !known.includes(key))
    .map((key) => ({ pointer: member(pointer, key), message: 'is not known here' }));

/** Questions that every reader of foreign input asks. */
export function isPlainObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

export const unknownKeys = (input: object, known: readonly string[]): string[] =>
  Object.keys(input).filter((key) => !known.includes(key));

/** A string with half of a surrogate pair has no UTF-8, so two implementations would not agree on it. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

export function utf8Length(text: string): number {
  return utf8(text).length;
}

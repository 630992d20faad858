import { malformed } from './errors.js';

/** JSON as TUF signs it. Numbers are integers: canonical JSON has no fractions. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Deeper metadata is refused, so that hostile nesting cannot exhaust the stack. */
const MAX_DEPTH = 64;

/**
 * OLPC canonical JSON, the bytes that TUF signs: no white space, keys in code point order, only `"` and `\` escaped
 * (control characters stay raw, so the result is for signing, not for parsing).
 * @throws TufError `tuf.malformed` for fractions, integers beyond 2^53, lone surrogates, undefined
 * @see http://wiki.laptop.org/go/Canonical_JSON; compared byte by byte with securesystemslib
 */
export function canonicalJson(value: unknown): Uint8Array {
  return Buffer.from(encode(value, '', 0), 'utf8');
}

function encode(value: unknown, pointer: string, depth: number): string {
  if (depth > MAX_DEPTH) throw malformed('', pointer, `nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quote(value, pointer);
  if (typeof value === 'number') return integer(value, pointer);
  if (Array.isArray(value)) return `[${value.map((item, i) => encode(item, `${pointer}/${i}`, depth + 1)).join(',')}]`;
  if (typeof value === 'object') return object(value as Record<string, unknown>, pointer, depth);
  throw malformed('', pointer, `a ${typeof value} has no canonical form`);
}

function object(value: Record<string, unknown>, pointer: string, depth: number): string {
  const members = inOrder(Object.keys(value))
    .filter((key) => value[key] !== undefined) // as JSON.stringify drops them
    .map((key) => `${quote(key, pointer)}:${encode(value[key], `${pointer}/${key}`, depth + 1)}`);
  return `{${members.join(',')}}`;
}

function integer(value: number, pointer: string): string {
  if (!Number.isSafeInteger(value)) throw malformed('', pointer, 'only integers within 2^53 have a canonical form');
  return String(value === 0 ? 0 : value); // −0 is 0
}

function quote(text: string, pointer: string): string {
  if (/\p{Surrogate}/u.test(text)) throw malformed('', pointer, 'a lone surrogate has no UTF-8 form');
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** JavaScript orders strings by UTF-16 unit, the other signers by code point: they differ where there are surrogates. */
function inOrder(keys: string[]): string[] {
  if (!keys.some((key) => /[\ud800-\udfff]/.test(key))) return keys.sort();
  return keys.sort((a, b) => Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')));
}

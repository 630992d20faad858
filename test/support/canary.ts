import { randomBytes, randomInt } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';

/** A random text that occurs nowhere else: `<prefix><16 random letters>`. */
export const textCanary = (prefix = ''): string =>
  prefix +
  randomBytes(12)
    .toString('hex')
    .replace(/[0-9]/g, (d) => 'ghijklmnop'[Number(d)] ?? 'z');

/** A random integer with nine or more digits in [from, to): rare enough that finding it means that it leaked. */
export const numberCanary = (from = 1_000_000_000, to = 9_000_000_000): number =>
  from + randomInt(0, Math.min(to - from, 2 ** 47));

/** How one value may travel: plain, hex, base64 at each alignment, JSON-escaped, percent-encoded. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const forms = new Set([value, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), encodeURIComponent(value)]);
  forms.add([...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''));
  for (const lead of [0, 1, 2]) {
    // Characters that depend on neighbours are cut off: two or four at the front, up to three at the end.
    const coded = Buffer.concat([Buffer.alloc(lead), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const inner = coded.slice(lead === 0 ? 0 : lead + 1, -1);
    forms.add(inner);
    forms.add(inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...forms].filter((form) => form.length >= 8);
}

const inflaters = [gunzipSync, inflateSync, inflateRawSync, brotliDecompressSync];

/** The bytes as they are, what they inflate to, and what base64 in them holds: two layers deep. */
function* layers(bytes: Buffer, depth = 2): Generator<Buffer> {
  yield bytes;
  if (depth === 0) return;
  for (const inflate of inflaters) {
    try {
      yield* layers(inflate(bytes, { maxOutputLength: 64 * 1024 * 1024 }), depth - 1);
    } catch {
      // not compressed this way
    }
  }
  for (const [token] of bytes.toString('latin1').matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
    yield* layers(Buffer.from(token, 'base64url'), depth - 1);
  }
}

/** Which of the canaries occur in the bytes, in any form. */
export function findCanaries(bytes: Buffer, canaries: readonly (string | number)[]): string[] {
  const forms = canaries.map((canary) => [String(canary), formsOf(String(canary))] as const);
  const found = new Set<string>();
  for (const layer of layers(bytes)) {
    const text = layer.toString('latin1');
    for (const [canary, spellings] of forms) {
      if (!found.has(canary) && spellings.some((form) => text.includes(form))) found.add(canary);
    }
  }
  return [...found];
}

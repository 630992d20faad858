/** Bytes `first` to `last`, both included, as HTTP counts them. */
export interface ByteRange {
  first: number;
  last: number;
}

const ONE_RANGE = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/;

/**
 * What a GET asks for (RFC 9110 §14). A unit other than bytes, several ranges or a malformed header are ignored, as
 * §14.2 allows: the answer is then the whole. `If-Range` must be our strong ETag, or the whole is sent (§13.1.5), so
 * that a handset never splices two files.
 * @returns undefined for the whole, `unsatisfiable` for a 416
 */
export function rangeOf(
  headers: { range?: string; ifRange?: string },
  { size, etag }: { size: number; etag: string },
): ByteRange | 'unsatisfiable' | undefined {
  const match = headers.range === undefined ? null : ONE_RANGE.exec(headers.range);
  if (match === null || (headers.ifRange !== undefined && headers.ifRange !== etag)) return undefined;
  const [, from, to, suffix] = match;
  if (suffix !== undefined) return suffixRange(Number(suffix), size);
  const first = Number(from);
  const last = to === undefined ? size - 1 : Number(to);
  if (last < first && to !== undefined) return undefined; // §14.1.1: invalid, hence ignored
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) };
}

const suffixRange = (length: number, size: number): ByteRange | 'unsatisfiable' =>
  length === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - length), last: size - 1 };

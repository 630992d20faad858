import { decodePosition, type Position } from '#event-log/index.js';
import { InsightError } from './errors.js';

/** A moment of the past: an instant (what had been received by then), or a position in the log. */
export type Moment = { instant: string } | { position: Position };

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
const fields = [{ pointer: '/as_of', message: 'an RFC 3339 instant with its offset, or a position from an answer' }];

/**
 * Reads `as_of`.
 * @param now  milliseconds; a later instant is refused, because its answer could still change
 * @throws InsightError `as-of.malformed`, `as-of.future`
 */
export function parseAsOf(text: string, now: number): Moment {
  if (!RFC3339.test(text)) return { position: positionOf(text) };
  const ms = Date.parse(text.toUpperCase());
  if (Number.isNaN(ms)) throw new InsightError('as-of.malformed', {}, 'there is no such instant', fields);
  if (ms > now) throw new InsightError('as-of.future', {}, 'the log does not know the future', fields);
  return { instant: new Date(ms).toISOString() };
}

function positionOf(text: string): Position {
  try {
    return decodePosition(text);
  } catch {
    throw new InsightError('as-of.malformed', {}, 'neither an instant nor a position', fields);
  }
}

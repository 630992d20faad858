import { EventLogError, type Position } from './event-log.js';
import { decodePosition } from './position.js';

/** A moment of the past: an instant (what had been received by then), or a position in the log. */
export type Moment = { instant: string } | { position: Position };

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
const fields = [{ pointer: '/as_of', message: 'an RFC 3339 instant with its offset, or a position from an answer' }];

/** A moment that the log has not come to: its answer could still change. */
export const notYet = () => new EventLogError('as-of.future', {}, 'the log has not come so far', fields);

/**
 * Reads `as_of`.
 * @param now  milliseconds, by the clock that says when records are received
 * @throws EventLogError `as-of.malformed`, `as-of.future`
 */
export function parseAsOf(text: string, now: number): Moment {
  const [, year, month, day] = RFC3339.exec(text) ?? [];
  if (year === undefined) return { position: positionOf(text) };
  const ms = Date.parse(text.toUpperCase());
  if (Number.isNaN(ms) || !isDay(Number(year), Number(month), Number(day)))
    throw new EventLogError('as-of.malformed', {}, 'there is no such instant', fields);
  if (ms > now) throw notYet();
  return { instant: new Date(ms).toISOString() };
}

/** `Date.parse` takes February 31 for March 3. */
const isDay = (year: number, month: number, day: number): boolean =>
  new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;

function positionOf(text: string): Position {
  try {
    return decodePosition(text);
  } catch {
    throw new EventLogError('as-of.malformed', {}, 'neither an instant nor a position', fields);
  }
}

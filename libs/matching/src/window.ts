import type { FieldError } from '#runtime/index.js';
import { isPlainObject, strangers } from './input.js';
import { MatchingError } from './matching-error.js';

/** A weekly window. `days` 1 = Monday … 7; local `HH:MM`; `to` ≤ `from` runs past midnight; zone IANA or `device`. */
export interface WeeklyWindow {
  days: readonly number[];
  from: string;
  to: string;
  zone: string;
}

/** As a window's zone: whatever zone the handset is in. */
export const DEVICE_ZONE = 'device';

const MAX_WINDOWS = 20;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

/** Reads windows. @throws MatchingError `window.malformed` */
export function checkWindows(input: unknown, pointer = ''): WeeklyWindow[] {
  const fields: FieldError[] = [];
  if (!Array.isArray(input) || input.length > MAX_WINDOWS)
    throw new MatchingError('window.malformed', {}, 'not weekly windows', [
      { pointer, message: `must be a list of at most ${MAX_WINDOWS} windows` },
    ]);
  input.forEach((window: unknown, at) => fields.push(...windowFaults(window, `${pointer}/${at}`)));
  if (fields.length > 0) throw new MatchingError('window.malformed', {}, 'not weekly windows', fields);
  return input as WeeklyWindow[];
}

function windowFaults(window: unknown, pointer: string): FieldError[] {
  if (!isPlainObject(window)) return [{ pointer, message: 'must be an object' }];
  const { days, from, to, zone } = window;
  const faults = strangers(window, ['days', 'from', 'to', 'zone'], pointer);
  if (!Array.isArray(days) || days.length === 0 || days.length > 7 || !days.every(isWeekday))
    faults.push({ pointer: `${pointer}/days`, message: 'must list days from 1 (Monday) to 7' });
  for (const [name, time] of Object.entries({ from, to }))
    if (typeof time !== 'string' || !TIME.test(time))
      faults.push({ pointer: `${pointer}/${name}`, message: 'must be HH:MM' });
  if (typeof zone !== 'string' || (zone !== DEVICE_ZONE && !isZone(zone)))
    faults.push({ pointer: `${pointer}/zone`, message: 'must be an IANA zone, or device' });
  return faults;
}

const isWeekday = (day: unknown): boolean => Number.isInteger(day) && (day as number) >= 1 && (day as number) <= 7;

/** An IANA zone; offsets such as `+01:00` are none, because they know no summer. */
function isZone(zone: string): boolean {
  if (zone.length > 64 || !/^[A-Za-z]/.test(zone)) return false;
  try {
    formatterOf(zone);
    return true;
  } catch {
    return false; // Intl throws RangeError at a zone that it does not know
  }
}

/**
 * Whether any window is open; no windows means always. A window is open while the clock on the wall reads from `from`
 * up to `to`: on the day that skips an hour the skipped part does not happen, on the day that repeats one it happens twice.
 */
export function isInWindow(windows: readonly WeeklyWindow[], nowMs: number, deviceZone = 'UTC'): boolean {
  if (windows.length === 0) return true;
  return windows.some((window) => {
    const zone = zoneOf(window, deviceZone);
    return zone !== undefined && isOpen(window, wallTime(zone, nowMs));
  });
}

/** A handset may not know a zone that the server knows: then the window stays shut. A device in no known zone is in UTC. */
function zoneOf({ zone }: WeeklyWindow, deviceZone: string): string | undefined {
  if (zone === DEVICE_ZONE) return isZone(deviceZone) ? deviceZone : 'UTC';
  return isZone(zone) ? zone : undefined;
}

function isOpen({ days, from, to }: WeeklyWindow, wall: number): boolean {
  const time = wall - startOfDay(wall);
  const today = days.includes(weekday(wall));
  const [opens, closes] = [minutes(from) * MINUTE, minutes(to) * MINUTE];
  if (opens < closes) return today && time >= opens && time < closes;
  return (today && time >= opens) || (days.includes(weekday(wall - DAY)) && time < closes);
}

/** When a window opens next: now if one is open, undefined if none ever does. Looks a fortnight ahead. */
export function nextWindowStart(
  windows: readonly WeeklyWindow[],
  nowMs: number,
  deviceZone = 'UTC',
): number | undefined {
  if (isInWindow(windows, nowMs, deviceZone)) return nowMs;
  const firstWithin = (days: number): number | undefined =>
    windows
      .flatMap((window) => possibleStarts(window, zoneOf(window, deviceZone), { nowMs, days }))
      .sort((a, b) => a - b)
      .find((start) => start > nowMs && isInWindow(windows, start, deviceZone));
  // Most windows open every day. What opens within two days is before all that opens on the fourth, whatever clocks do.
  const soon = firstWithin(3);
  return soon !== undefined && soon < nowMs + 2 * DAY ? soon : firstWithin(14);
}

/** A window opens when the wall reads `from`, or when a change of the clock jumps into it. */
function possibleStarts(
  window: WeeklyWindow,
  zone: string | undefined,
  { nowMs, days }: { nowMs: number; days: number },
): number[] {
  if (zone === undefined) return [];
  const starts: number[] = [];
  const today = startOfDay(wallTime(zone, nowMs));
  for (let day = -1; day <= days; day++) {
    const wall = today + day * DAY + minutes(window.from) * MINUTE;
    starts.push(...instantsOf(zone, wall));
    const change = changeBetween(zone, nowMs + day * DAY, nowMs + (day + 1) * DAY);
    if (change !== undefined) starts.push(change);
  }
  return starts;
}

/** The instants at which a zone's wall reads `wall`: one, none in a skipped hour, two in a repeated one. */
function instantsOf(zone: string, wall: number): number[] {
  const offsets = new Set([offsetAt(zone, wall - DAY), offsetAt(zone, wall + DAY)]);
  return [...offsets].map((offset) => wall - offset).filter((instant) => wallTime(zone, instant) === wall);
}

/** The minute at which the offset changes between two instants a day apart, if it does. */
function changeBetween(zone: string, from: number, to: number): number | undefined {
  const before = offsetAt(zone, from);
  if (offsetAt(zone, to) === before) return undefined;
  let [low, high] = [Math.floor(from / MINUTE), Math.ceil(to / MINUTE)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle * MINUTE) === before) low = middle;
    else high = middle;
  }
  return high * MINUTE;
}

/** No zone changes its clock and back within an hour: where both ends agree, what is between is known without asking. */
function offsetAt(zone: string, instant: number): number {
  const hour = Math.floor(instant / HOUR);
  const before = offsetOfHour(zone, hour);
  return before === offsetOfHour(zone, hour + 1) ? before : offsetBySurvey(zone, instant);
}

/** By zone and hour. A formatter takes some 20 us to say it, and a look for the next window asks a hundred times. */
const offsets = new Map<string, Map<number, number>>();
const MAX_HOURS = 1_000;

function offsetOfHour(zone: string, hour: number): number {
  const kept = offsets.get(zone) ?? new Map<number, number>();
  const known = kept.get(hour);
  if (known !== undefined) return known;
  const offset = offsetBySurvey(zone, hour * HOUR);
  if (offsets.size >= MAX_FORMATTERS) offsets.clear();
  if (kept.size >= MAX_HOURS) kept.clear();
  offsets.set(zone, kept.set(hour, offset));
  return offset;
}

const minutes = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
const startOfDay = (wall: number): number => Math.floor(wall / DAY) * DAY;
/** 1 = Monday; 1970-01-01 was a Thursday. */
const weekday = (wall: number): number => ((((Math.floor(wall / DAY) + 3) % 7) + 7) % 7) + 1;

/** What the wall in a zone reads, as milliseconds since 1970-01-01 00:00 on that wall; seconds are kept, milliseconds not. */
const wallTime = (zone: string, instant: number): number => Math.floor(instant / 1000) * 1000 + offsetAt(zone, instant);

/** How far the wall is ahead of UTC, as the platform's table of zones has it, ms. */
function offsetBySurvey(zone: string, instant: number): number {
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return wall - Math.floor(instant / 1000) * 1000;
}

const formatters = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATTERS = 64;

/** A formatter takes long to build, and zones come in with input, hence kept but not without end. @throws RangeError */
function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formatters.size >= MAX_FORMATTERS) formatters.clear();
  formatters.set(zone, formatter);
  return formatter;
}

/** Numbers, sizes and times as people read them; the locale is the reader's, the zone whoever's is named. */
const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  const found = formats.get(key) ?? new Intl.NumberFormat(locale, options);
  formats.set(key, found);
  return found as Intl.NumberFormat;
}

export const count = (value: number, locale: string): string => numbers(locale, {}).format(value);

/** A share of 1; what is not all is never shown as all, and what is not nothing never as nothing. */
export function percent(share: number, locale: string): string {
  const shown = share > 0 && share < 0.001 ? 0.001 : share < 1 && share > 0.999 ? 0.999 : share;
  const digits = shown > 0 && (shown < 0.1 || shown > 0.99) && shown !== 1 ? 1 : 0;
  return numbers(locale, { style: 'percent', maximumFractionDigits: digits }).format(shown);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function bytes(value: number, locale: string): string {
  const power = value < 1_000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  const maximumFractionDigits = power === 0 ? 0 : 1;
  return `${numbers(locale, { maximumFractionDigits }).format(value / 1000 ** power)} ${UNITS[power]}`;
}

/** Time left as a clock shows it: `0:41`, `12:05`, `3:00:00`. */
export function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1_000));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export function moment(at: string | number, locale: string, timeZone?: string): string {
  const options: Intl.DateTimeFormatOptions = {
    dateStyle: 'medium',
    timeStyle: 'medium',
    ...(timeZone && { timeZone }),
  };
  const key = `${locale} ${timeZone ?? ''}`;
  const found = formats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  formats.set(key, found);
  return found.format(new Date(at) as unknown as number);
}

/** A local moment as `<input type="datetime-local">` has it, and back. */
export function toLocalInput(at: number): string {
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}
export const fromLocalInput = (text: string): string | undefined => {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
};

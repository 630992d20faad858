import { useWords } from '../shell/words.js';

/** A Monday, so that day n of the week is n - 1 days later. */
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

export function useDayNames(): (day: number) => string {
  const { locale } = useWords();
  const format = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' });
  return (day) => format.format(MONDAY + (day - 1) * DAY_MS);
}

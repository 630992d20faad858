import { useTranslation } from 'react-i18next';
import { localeOf } from '../texts/i18n.js';
import { bytes, count, moment, percent } from './format.js';

/** The reader's language, with the formats that follow it. */
export function useWords() {
  const { t, i18n } = useTranslation();
  const locale = localeOf(i18n.language);
  return {
    t,
    locale,
    count: (value: number) => count(value, locale),
    percent: (share: number) => percent(share, locale),
    bytes: (value: number) => bytes(value, locale),
    moment: (at: string | number, zone?: string) => moment(at, locale, zone),
  };
}

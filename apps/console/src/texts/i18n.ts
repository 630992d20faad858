import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './en.json' with { type: 'json' };
import { pseudoCatalogue } from './pseudo.js';

export const LANGUAGES = { en: 'English', fr: 'Français' } as const;
export type Language = keyof typeof LANGUAGES | 'pseudo';

const KEPT = 'muster-language';

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
    returnNull: false;
  }
}

const isLanguage = (name: string | null): name is Language => name !== null && (name in LANGUAGES || name === 'pseudo');

/** What was chosen here before, else what the browser asks for. */
function preferred(): Language {
  const kept = localStorage.getItem(KEPT);
  if (isLanguage(kept)) return kept;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES) === 'fr' ? 'fr' : 'en';
}

/** English comes with the page, every other language when somebody reads it. */
async function load(language: Language): Promise<void> {
  if (language === 'en' || i18next.hasResourceBundle(language, 'translation')) return;
  const texts =
    language === 'fr' ? (await import('./fr.json', { with: { type: 'json' } })).default : pseudoCatalogue(en);
  i18next.addResourceBundle(language, 'translation', texts);
}

export async function startTexts(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false }, // React escapes
  });
  await choose(preferred());
}

export async function choose(language: Language): Promise<void> {
  await load(language);
  localStorage.setItem(KEPT, language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = localeOf(language);
}

/** The locale that numbers and dates follow. */
export const localeOf = (language: string): string => (language === 'pseudo' ? 'en' : language);

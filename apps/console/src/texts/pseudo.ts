/** A catalogue as JSON has it: texts in folders. */
export interface Catalogue {
  [key: string]: string | Catalogue;
}

const ACCENTS: Record<string, string> = {
  ...{ a: 'á', b: 'ƀ', c: 'ç', d: 'ð', e: 'é', f: 'ƒ', g: 'ĝ', h: 'ĥ', i: 'í', j: 'ĵ', k: 'ķ', l: 'ľ', m: 'ɱ' },
  ...{ n: 'ñ', o: 'ó', p: 'þ', q: 'ɋ', r: 'ŕ', s: 'š', t: 'ţ', u: 'ú', v: 'ṽ', w: 'ŵ', x: 'ẋ', y: 'ý', z: 'ž' },
};

/** The text as another language would be: no letter of ours left, and 40 % longer. What stands in `{{…}}` or `<…>` stays. */
export function pseudo(text: string): string {
  const accented = text
    .split(/(\{\{[^}]*\}\}|<[^>]*>|\$t\([^)]*\))/)
    .map((part, n) => (n % 2 === 1 ? part : part.replace(/[a-z]/gi, (letter) => accent(letter))))
    .join('');
  return `⟦${accented}${'·'.repeat(Math.ceil(text.length * 0.4))}⟧`;
}

const accent = (letter: string): string => {
  const accented = ACCENTS[letter.toLowerCase()] ?? letter;
  return letter === letter.toLowerCase() ? accented : accented.toUpperCase();
};

export const pseudoCatalogue = (catalogue: Catalogue): Catalogue =>
  Object.fromEntries(
    Object.entries(catalogue).map(([key, text]) => [
      key,
      typeof text === 'string' ? pseudo(text) : pseudoCatalogue(text),
    ]),
  );

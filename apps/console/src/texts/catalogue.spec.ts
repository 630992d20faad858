import { describe, expect, it } from 'vitest';
import en from './en.json' with { type: 'json' };
import fr from './fr.json' with { type: 'json' };
import { type Catalogue, pseudo, pseudoCatalogue } from './pseudo.js';

const flat = (catalogue: Catalogue, path = ''): [string, string][] =>
  Object.entries(catalogue).flatMap(([key, text]) =>
    typeof text === 'string' ? [[`${path}${key}`, text]] : flat(text, `${path}${key}.`),
  );
const holes = (text: string) => [...text.matchAll(/\{\{\s*([\w.]+)/g)].map(([, name]) => name ?? '').sort();

describe('the catalogue of texts', () => {
  const english = new Map(flat(en));
  const french = new Map(flat(fr));

  it('says in French all that it says in English, and nothing else', () => {
    // French has a form of its own for millions.
    const common = [...french.keys()].filter((key) => !key.endsWith('_many'));
    expect(common.sort()).toEqual([...english.keys()].sort());
  });

  it('has the same values in the same texts', () => {
    for (const [key, text] of english) expect([key, holes(french.get(key) ?? '')]).toEqual([key, holes(text)]);
  });

  it('leaves no text empty', () => {
    expect([...english, ...french].filter(([, text]) => text.trim() === '')).toEqual([]);
  });

  it('becomes another language with the same values in it', () => {
    for (const [key, text] of flat(pseudoCatalogue(en))) {
      expect([key, holes(text)]).toEqual([key, holes(english.get(key) ?? '')]);
      expect(text.replace(/\{\{[^}]*\}\}|<[^>]*>|\$t\([^)]*\)/g, '')).not.toMatch(/[a-z]/i);
    }
  });
});

it('makes a text longer and leaves its values', () => {
  expect(pseudo('Pause {{name}}')).toBe('⟦Þáúšé {{name}}······⟧');
});

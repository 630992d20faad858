import { expect, it } from 'vitest';
import { idFrom, isId } from './id.js';

it('gives the same command the same id, and every other another', () => {
  const ids = [idFrom('a', 'b'), idFrom('ab'), idFrom('a', 'b', ''), idFrom('b', 'a')];
  expect(idFrom('a', 'b')).toBe(ids[0]);
  expect(new Set(ids).size).toBe(ids.length);
  for (let i = 0; i < 64; i += 1) expect(isId(idFrom(String(i)))).toBe(true);
});

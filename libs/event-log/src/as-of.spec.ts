import { describe, expect, it } from 'vitest';
import { encodePosition, parseAsOf } from './index.js';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const refusalOf = (text: string): unknown => {
  try {
    return parseAsOf(text, NOW);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('as_of', () => {
  it.each([
    ['2026-11-24T08:00:00Z', '2026-11-24T08:00:00.000Z'],
    ['2026-11-24t08:00:00.5z', '2026-11-24T08:00:00.500Z'],
    ['2026-11-24T10:00:00+02:00', '2026-11-24T08:00:00.000Z'],
    ['2024-02-29T00:00:00-00:00', '2024-02-29T00:00:00.000Z'],
  ])('takes the instant %s', (text, instant) => expect(parseAsOf(text, NOW)).toEqual({ instant }));

  it('takes a position', () => {
    const position = { 'muster.device/3': 17 };
    expect(parseAsOf(encodePosition(position), NOW)).toEqual({ position });
  });

  it.each([
    '',
    'now',
    '2026-11-24',
    '2026-11-24T08:00:00',
    '2026-02-31T08:00:00Z',
    '2026-11-24T25:00:00Z',
    '2026-13-01T00:00:00Z',
    'AAAA',
    '2026-11-24 08:00:00Z',
  ])('refuses %j: as-of.malformed', (text) => expect(refusalOf(text)).toBe('as-of.malformed'));

  it('refuses an instant that is yet to come: as-of.future', () =>
    expect(refusalOf('2026-11-24T12:00:00.001Z')).toBe('as-of.future'));
});

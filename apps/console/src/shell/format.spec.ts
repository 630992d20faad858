import { describe, expect, it } from 'vitest';
import { bytes, clock, count, fromLocalInput, moment, percent, toLocalInput } from './format.js';

describe('numbers for people', () => {
  it('never shows what is not all as all, nor what is not nothing as nothing', () => {
    expect(percent(0.99999, 'en')).toBe('99.9%');
    expect(percent(0.00001, 'en')).toBe('0.1%');
    expect(percent(1, 'en')).toBe('100%');
    expect(percent(0, 'en')).toBe('0%');
    expect(percent(0.684, 'en')).toBe('68%');
  });

  it('follows the locale', () => {
    expect(count(118_204, 'en')).toBe('118,204');
    expect(count(118_204, 'fr').replace(/\s/g, ' ')).toBe('118 204');
  });

  it('counts bytes in powers of a thousand', () => {
    expect([0, 999, 1_000, 50_000_000, 3e15].map((size) => bytes(size, 'en'))).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '50 MB',
      '3,000 TB',
    ]);
  });
});

describe('times for people', () => {
  it('shows time left as a clock does', () => {
    expect([0, 41_000, 725_000, 10_800_000, -5].map(clock)).toEqual(['0:00', '0:41', '12:05', '3:00:00', '0:00']);
  });

  it('shows a moment in the zone that is named', () => {
    expect(moment('2026-12-01T23:30:00Z', 'en-GB', 'Europe/Paris')).toContain('2 Dec 2026');
    expect(moment('2026-12-01T23:30:00Z', 'en-GB', 'UTC')).toContain('1 Dec 2026');
  });

  it('takes a moment through a form and back', () => {
    const at = Date.parse('2026-12-01T10:20:30Z');
    expect(fromLocalInput(toLocalInput(at))).toBe('2026-12-01T10:20:30.000Z');
    expect(fromLocalInput('')).toBeUndefined();
  });
});

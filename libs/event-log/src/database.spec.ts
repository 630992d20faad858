import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantTextOf } from './database.js';

/** As Postgres writes it, in UTC: without zeros behind the point, nor a point that nothing follows. */
const written = (date: Date): string =>
  `${date
    .toISOString()
    .slice(0, -1)
    .replace('T', ' ')
    .replace(/0{1,3}$/, '')
    .replace(/\.$/, '')}+00`;

describe('an instant read as text', () => {
  it('is as Date writes it, whatever the zeros', () => {
    const dates = fc.date({
      min: new Date('1000-01-01'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, (date) => {
        expect(instantTextOf(written(date))).toBe(date.toISOString());
      }),
    );
  });

  it.each([
    ['2026-11-24 09:00:00+00', '2026-11-24T09:00:00.000Z'],
    ['2026-11-24 09:00:00.1+00', '2026-11-24T09:00:00.100Z'],
    ['2026-11-24 09:00:00.12+00', '2026-11-24T09:00:00.120Z'],
    ['2026-11-24 09:00:00.123456+00', '2026-11-24T09:00:00.123Z'],
    ['2026-11-24 09:00:00.123+01', '2026-11-24T08:00:00.123Z'],
    ['2026-11-24 14:30:00.5+05:30', '2026-11-24T09:00:00.500Z'],
    ['12026-11-24 09:00:00+00', '+012026-11-24T09:00:00.000Z'],
    ['infinity', 'Infinity'],
  ])('%s is %s', (text, instant) => {
    expect(instantTextOf(text)).toBe(instant);
  });
});

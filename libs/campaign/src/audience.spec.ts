import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, checkRule, type CheckedRule } from '#matching/index.js';
import { anyOf, AudienceTally } from './audience.js';

const schema = { version: 1, attributes: { model: { type: 'string' }, free: { type: 'int' } } } as const;
const rule = (source: string): CheckedRule => checkRule(source, schema, 'selector');
const m1 = rule('device.model == "m1"');
const roomy = rule('device.free > 10');
const exactly = (devices: number) => ({ devices, from: devices, to: devices });

describe('one of several rules', () => {
  it.each<[boolean | 'unknown', Attributes]>([
    [true, { model: 'm1' }],
    [true, { model: 'm2', free: 11n }],
    ['unknown', { model: 'm2' }],
    [false, { model: 'm2', free: 1n }],
  ])('comes to %s', (result, device) => expect(anyOf([m1, roomy], device)).toBe(result));

  it('is none when there is none', () => expect(anyOf([], { model: 'm1' })).toBe(false));
});

describe('the count of an audience', () => {
  it('is exact where every device was looked at', () => {
    const tally = new AudienceTally([m1], [roomy]);
    const devices: (Attributes | null)[] = [
      ...[{ model: 'm1' }, { model: 'm1', free: 11n }, { model: 'm2', free: 11n }, {}, null],
    ];
    for (const device of devices) tally.add(device);
    expect(tally.shares(5)).toEqual({
      looked: 5,
      ...{ matching: exactly(2), notMatching: exactly(1), unknown: exactly(1), untold: exactly(1) },
      ...{ gained: exactly(1), lost: exactly(1) },
    });
  });

  it('says between which numbers it lies where a sample was', () => {
    const tally = new AudienceTally([m1]);
    for (let i = 0; i < 1_000; i += 1) tally.add({ model: i % 10 === 0 ? 'm1' : 'm2' });
    // Wilson, 100 of 1,000 at 95 %: 0.082909 to 0.120151
    expect(tally.shares(1_000_000).matching).toEqual({ devices: 100_000, from: 82_909, to: 120_152 });
    expect(tally.shares(1_000_000).unknown).toEqual({ devices: 0, from: 0, to: 3_827 });
  });

  it('knows nothing while nobody was looked at', () =>
    expect(new AudienceTally([m1]).shares(7).matching).toEqual({ devices: 0, from: 0, to: 7 }));

  it('never leaves its bounds, and its parts are all of it', () => {
    const devices = fc.array(fc.constantFrom<Attributes | null>({ model: 'm1' }, { model: 'm2' }, {}, null));
    fc.assert(
      fc.property(devices, fc.nat(10_000), (some, more) => {
        const tally = new AudienceTally([m1], [roomy]);
        some.forEach((device) => tally.add(device));
        const total = some.length + more;
        const { looked, gained, lost, ...parts } = tally.shares(total);
        for (const { devices: n, from, to } of [...Object.values(parts), gained, lost]) {
          expect(from).toBeLessThanOrEqual(to);
          if (looked > 0) expect([n >= from, n <= to]).toEqual([true, true]);
        }
        if (more === 0) expect(Object.values(parts).reduce((sum, each) => sum + each.devices, 0)).toBe(total);
      }),
    );
  });
});

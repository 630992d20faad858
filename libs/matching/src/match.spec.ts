import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur3 } from './bucket.js';
import { BUCKETS, bucketOf, checkRule, matchOffer, type MatchableOffer, type MatchContext } from './index.js';
import { TEST_SCHEMA } from './testing.js';

const deviceId = '0190a5c0-0000-7000-8000-000000000001';
const bucket = bucketOf('launch', deviceId);
const offer: MatchableOffer = {
  selector: 'device.memory > 5',
  salt: 'launch',
  waveUpTo: 10_000,
  holdOut: 0,
  start: '2026-11-23T00:00:00.000Z',
  end: '2026-11-30T00:00:00.000Z',
  windows: [],
};
const context: MatchContext = {
  deviceId,
  attributes: { memory: 6n },
  schema: TEST_SCHEMA,
  now: Date.parse('2026-11-24T12:00:00Z'),
};

it('puts a device into the bucket of its UTF-8, whatever its salt is made of', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uuid(), (salt, deviceId) => {
      const bytes = new TextEncoder().encode(`${salt}:${deviceId}`);
      expect(bucketOf(salt, deviceId)).toBe(murmur3(bytes) % BUCKETS);
    }),
  ));

describe('an offer', () => {
  it('fits the device that its selector is true of', () => {
    expect(matchOffer(offer, context)).toMatchObject({ fits: true, verdict: { result: true } });
  });

  it('can bring a selector that is checked already', () => {
    const selector = checkRule('device.memory > 6', TEST_SCHEMA, 'selector');
    expect(matchOffer({ ...offer, selector }, { ...context, schema: undefined })).toMatchObject({ reason: 'no-fit' });
  });

  it.each<[string, Partial<MatchableOffer>, Partial<MatchContext>, object]>([
    [
      'has not started',
      { start: '2026-12-01T00:00:00Z' },
      {},
      { reason: 'not-started', opensAt: Date.parse('2026-12-01T00:00:00Z') },
    ],
    ['starts at no instant', { start: 'soon' }, {}, { reason: 'not-started' }],
    ['has ended, to the millisecond', {}, { now: Date.parse('2026-11-30T00:00:00Z') }, { reason: 'ended' }],
    ['has the device in its hold-out', { holdOut: 10_000 - bucket }, {}, { reason: 'hold-out' }],
    ['has not come to the wave of the device', { waveUpTo: bucket }, {}, { reason: 'wave' }],
    ['is false of the device', {}, { attributes: { memory: 5n } }, { reason: 'no-fit', verdict: { result: false } }],
    ['is unknown of the device', {}, { attributes: {} }, { reason: 'no-fit', verdict: { result: 'unknown' } }],
    [
      'names what the schema does not have',
      { selector: 'device.colour == "red"' },
      {},
      { reason: 'no-fit', refused: 'rule.unknown-attribute' },
    ],
    ['is no rule', { selector: 'device.memory >' }, {}, { reason: 'no-fit', refused: 'rule.parse' }],
    [
      'has its window closed',
      { windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: '22:00', to: '23:00', zone: 'device' }] },
      { zone: 'Europe/Paris' },
      { reason: 'window', opensAt: Date.parse('2026-11-24T21:00:00Z') },
    ],
  ])('that %s does not', (_name, of, as, expected) => {
    expect(matchOffer({ ...offer, ...of }, { ...context, ...as })).toMatchObject({ fits: false, ...expected });
  }); // prettier-ignore

  it('takes the last bucket before the hold-out and before the wave', () => {
    expect(matchOffer({ ...offer, holdOut: 10_000 - bucket - 1 }, context).fits).toBe(true);
    expect(matchOffer({ ...offer, waveUpTo: bucket + 1 }, context).fits).toBe(true);
  });

  it('does not look at the attributes of a device that is held out or not in the wave', () => {
    const held = matchOffer({ ...offer, holdOut: 10_000 }, { ...context, attributes: {} });
    expect(held).toEqual({ fits: false, reason: 'hold-out' });
  });

  it('without an end does not end', () => {
    expect(matchOffer({ ...offer, end: null }, { ...context, now: Date.parse('2099-01-01T00:00:00Z') }).fits).toBe(
      true,
    );
  });
});

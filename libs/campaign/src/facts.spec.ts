import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEpochs, checkFactTypes, concernsOffer, FACT_BUDGET, newFacts, spendFacts } from './facts.js';

const seq = (epoch: number, n: number) => ({ seq: { epoch, n } });

describe('facts of a handset', () => {
  it('are taken once, whatever is sent again', () => {
    const { fresh, highest } = newFacts([seq(1, 3), seq(1, 4), seq(1, 4), seq(1, 2)], { epoch: 1, n: 2 });
    expect(fresh).toEqual([seq(1, 3), seq(1, 4)]);
    expect(highest).toEqual({ epoch: 1, n: 4 });
  });

  it('begin anew with an epoch', () =>
    expect(newFacts([seq(2, 1)], { epoch: 1, n: 900 })).toEqual({ fresh: [seq(2, 1)], highest: { epoch: 2, n: 1 } }));

  it('of an old epoch are dropped', () =>
    expect(newFacts([seq(1, 901)], { epoch: 2, n: 1 })).toEqual({ fresh: [], highest: { epoch: 2, n: 1 } }));

  it('of an epoch that the device was not given are refused, or its successor could report nothing', () => {
    checkEpochs([seq(1, 7), seq(2, 1)], 2);
    expect(() => checkEpochs([seq(2, 1), seq(3, 1)], 2)).toThrow(
      expect.objectContaining({
        code: 'facts.malformed',
        fields: [expect.objectContaining({ pointer: '/facts/1/seq/epoch' })],
      }),
    );
  });

  it('sent in any order and any number of batches are the same facts once each', () => {
    const facts = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 })), { maxLength: 30 });
    fc.assert(
      fc.property(facts, (pairs) => {
        const batch = pairs.map(([epoch, n]) => seq(epoch, n));
        const first = newFacts(batch, { epoch: 0, n: 0 });
        const again = newFacts(batch, first.highest);
        expect(new Set(first.fresh.map((fact) => JSON.stringify(fact))).size).toBe(first.fresh.length);
        expect(again.fresh).toEqual([]);
      }),
    );
  });

  it.each(['GrantIssued', 'constructor', '__proto__', ''])('of type %s are refused by name', (type) =>
    expect(() => checkFactTypes([{ ...seq(1, 1), type, occurredAt: '', data: {} }])).toThrow(
      expect.objectContaining({
        code: 'facts.unknown-type',
        fields: [expect.objectContaining({ pointer: '/facts/0/type' })],
      }),
    ),
  );
});

describe('facts about offers', () => {
  const ref = { contentId: 'c', campaignId: 'k' };

  it('stand when they name none, or one that is known', () => {
    expect(concernsOffer({ data: { rule: 'boot' } }, () => false)).toBe(true);
    expect(concernsOffer({ data: ref }, (named) => named.contentId === 'c')).toBe(true);
    expect(concernsOffer({ data: ref }, () => false)).toBe(false);
  });
});

describe('the budget of a device', () => {
  const { burst, perMinute } = FACT_BUDGET;

  it('takes a full queue at once, and then as many as come back', () => {
    const spent = spendFacts(undefined, burst, 0);
    expect(spent).toEqual({ left: 0, at: 0 });
    const bucket = spent as { left: number; at: number };
    expect(spendFacts(bucket, perMinute, 30_000)).toEqual({ waitSeconds: 30 });
    expect(spendFacts(bucket, perMinute, 60_000)).toMatchObject({ at: 60_000 });
  });

  it('never grows beyond its burst, whatever the clock does', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1_000), fc.integer({ min: -1e9, max: 1e9 }))), (steps) => {
        let bucket: { left: number; at: number } | undefined;
        for (const [count, at] of steps) {
          const spent = spendFacts(bucket, count, at);
          if ('left' in spent) bucket = spent;
        }
        return bucket === undefined || (bucket.left >= 0 && bucket.left <= burst);
      }),
    ));
});

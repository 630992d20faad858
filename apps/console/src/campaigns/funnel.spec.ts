import { describe, expect, it } from 'vitest';
import { funnelSteps, stepLost, underWay } from './funnel.js';

const funnel = { polled: 180, matched: 152, requested: 136, transferred: 136, installed: 128, confirmed: 128 };
const dropped = [
  { kind: 'declined', reason: 'no-fit', devices: 28 },
  { kind: 'declined', reason: 'user', devices: 16 },
  { kind: 'failed', reason: 'install-failed', devices: 8 },
] as const;

describe('the funnel', () => {
  const steps = funnelSteps(funnel, [...dropped]);

  it('measures every bar by the widest step', () => {
    expect(steps.map(({ width }) => Math.round(width * 1_000))).toEqual([1_000, 844, 756, 756, 711, 711]);
  });

  it('says of each step what of the one before is left', () => {
    expect(steps.map(({ kept }) => kept?.toFixed(3))).toEqual([undefined, '0.844', '0.895', '1.000', '0.941', '1.000']);
    expect(steps.map(({ fewer }) => fewer)).toEqual([0, 28, 16, 0, 8, 0]);
  });

  it('puts every reason where devices with it go no further', () => {
    expect(steps.flatMap(({ name, reasons }) => reasons.map(({ reason }) => `${name} ${reason}`))).toEqual([
      'matched no-fit',
      'requested user',
      'installed install-failed',
    ]);
    expect(stepLost({ kind: 'withheld', reason: 'cap', devices: 1 })).toBe('transferred');
    expect(stepLost({ kind: 'failed', reason: 'rolled-back', devices: 1 })).toBe('confirmed');
  });

  it('leaves open who has given no reason', () => {
    const open = funnelSteps({ ...funnel, installed: 100, confirmed: 100 }, [...dropped]);
    expect(open.find(({ name }) => name === 'installed')?.open).toBe(28);
    expect(steps.every(({ open: rest }) => rest === 0)).toBe(true);
  });

  it('survives nothing at all, and a step that is wider than the one before', () => {
    const nothing = { polled: 0, matched: 0, requested: 0, transferred: 0, installed: 0, confirmed: 0 };
    expect(funnelSteps(nothing, []).every(({ width, kept }) => width === 0 && kept === undefined)).toBe(true);
    const wide = funnelSteps({ ...nothing, polled: 1, matched: 3 }, []);
    expect(wide[1]).toMatchObject({ width: 1, kept: 1, fewer: 0 });
  });
});

it('counts who is under way', () => {
  expect(underWay({ ...funnel, installed: 100 }, [...dropped])).toBe(28);
  expect(underWay(funnel, [...dropped])).toBe(0);
});

import { describe, expect, it } from 'vitest';
import type { Campaign } from '../api/wire.js';
import { actOf, asksForName, initialForm, missing, reasonOf } from './act-form.js';

const campaign = {
  name: 'Wallet',
  status: 'running',
  waves: [{ upTo: 100 }, { upTo: 10_000 }],
  waveUpTo: 100,
} as Campaign;
const form = initialForm(campaign);

describe('what an act asks for', () => {
  it('begins with the next wave and the mildest choices', () => {
    expect(form).toMatchObject({ kind: 'soft', disposition: 'keep', waveUpTo: 10_000 });
  });

  it('wants a reason for what stops something', () => {
    expect(missing('pause', form, campaign, 0)).toBe('reason');
    expect(missing('pause', { ...form, reason: ' x ' }, campaign, 0)).toBeUndefined();
    expect(reasonOf('resume', campaign)).toBe('optional');
    expect(reasonOf('resume', { ...campaign, status: 'halted' })).toBe('required');
  });

  it('wants the name for the end of something large, and for nothing else', () => {
    expect(asksForName('abort', 101)).toBe(true);
    expect(asksForName('abort', 100)).toBe(false);
    expect(asksForName('pause', 1_000_000)).toBe(false);
    expect(missing('abort', { ...form, reason: 'x', typed: 'wallet' }, campaign, 500)).toBe('name');
    expect(missing('abort', { ...form, reason: 'x', typed: 'Wallet' }, campaign, 500)).toBeUndefined();
  });

  it('says what was chosen and nothing more', () => {
    expect(actOf('pause', { ...form, reason: ' slow ' })).toEqual({
      verb: 'pause',
      body: { kind: 'soft', reason: 'slow' },
    });
    expect(actOf('resume', form)).toEqual({ verb: 'resume', body: {} });
    expect(actOf('schedule', form)).toEqual({ verb: 'schedule', body: {} });
  });
});

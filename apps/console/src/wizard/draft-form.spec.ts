import { describe, expect, it } from 'vitest';
import type { Campaign } from '../api/wire.js';
import { draftOf, emptyDraft, gapsOf, newWave, settingsOf, stepOfPointer } from './draft-form.js';
import { stepBy, wizardSearch } from './wizard-state.js';

const CAMPAIGN = {
  name: 'Wallet',
  channel: 'beta',
  contents: ['c1'],
  selector: 'device.nfc == true',
  mode: 'either',
  class: 'urgent',
  priority: 7,
  salt: 's',
  start: '2026-12-02T00:00:00.000Z',
  end: null,
  windows: [{ days: [1], from: '22:00', to: '05:00', zone: 'Europe/Paris' }],
  holdOut: 500,
  caps: { transfers: 10, bytesPerSecond: null, bytesPerDay: 1_000 },
  timeouts: { transferMinutes: 60, confirmMinutes: null },
  stopRules: [{ on: 'failed', share: 0.05, minimum: 20 }],
  conflictGroup: 'modem',
  waveUpTo: 100,
  waves: [
    { upTo: 100, gate: { success: 0.95, minimum: 20, timeoutMinutes: 60 } },
    { upTo: 10_000, gate: null },
  ],
} as unknown as Campaign;

describe('a draft', () => {
  it('that is opened and saved again is the same campaign', () => {
    expect(settingsOf(draftOf(CAMPAIGN))).toEqual({
      ...Object.fromEntries(Object.entries(CAMPAIGN).filter(([name]) => name !== 'status')),
    });
  });

  it('keeps how far a campaign without a plan was opened', () => {
    const byHand = { ...CAMPAIGN, waves: [], waveUpTo: 2_500 } as Campaign;
    expect(settingsOf(draftOf(byHand)).waveUpTo).toBe(2_500);
  });

  it('that is new says only what was said', () => {
    const settings = settingsOf({ ...emptyDraft(), name: ' Wallet ', contents: ['c1'] });
    expect(settings).toMatchObject({ name: 'Wallet', start: null, holdOut: 0, caps: { transfers: null } });
    expect('selector' in settings || 'waves' in settings || 'salt' in settings).toBe(false);
  });

  it('opens its first wave', () => {
    expect(settingsOf({ ...emptyDraft(), waves: [newWave(1), newWave(100)] })).toMatchObject({
      waveUpTo: 100,
      waves: [
        { upTo: 100, gate: { success: 0.95 } },
        { upTo: 10_000, gate: null },
      ],
    });
  });

  it('says what it lacks', () => {
    expect(gapsOf(emptyDraft())).toEqual(['name', 'contents']);
    const named = { ...emptyDraft(), name: 'x', contents: ['c'] };
    expect(gapsOf({ ...named, waves: [newWave(25), newWave(10)] })).toEqual(['waves']);
    expect(gapsOf({ ...named, waves: [newWave(25), newWave(100)] })).toEqual([]);
  });

  it('leads from a refused field to the step that has it', () => {
    expect(['/selector', '/waves/0/upTo', '/stopRules/0/share', '/contents/0'].map(stepOfPointer)).toEqual([
      'audience',
      'pace',
      'safety',
      'contents',
    ]);
  });
});

describe('the steps of the wizard', () => {
  it('stand in the address', () => {
    expect(wizardSearch({ step: 'pace', days: '14' })).toEqual({ step: 'pace', days: 14 });
    expect(wizardSearch({ step: 'nonsense', days: 99 })).toEqual({});
  });

  it('follow each other', () => {
    expect(stepBy('contents', 1)).toBe('audience');
    expect(stepBy('contents', -1)).toBeUndefined();
    expect(stepBy('review', 1)).toBeUndefined();
  });
});

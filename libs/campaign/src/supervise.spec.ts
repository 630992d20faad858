import { describe, expect, it } from 'vitest';
import { Board } from './board.js';
import { type CampaignState, evolve, noCampaign } from './campaign.js';
import type { CampaignEvent, CampaignSettings } from './events.js';
import { NO_TALLY, type Tally } from './outcomes.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import { supervise } from './supervise.js';

const MINUTE = 60_000;
const NOW = Date.parse('2026-11-30T12:00:00.000Z');
const at = (minutes: number): string => new Date(NOW + minutes * MINUTE).toISOString();
const gate = { minimum: 4, success: 0.4, timeoutMinutes: 60 };
const settings = {
  ...PLAIN_SETTINGS,
  waveUpTo: 100,
  waves: [
    { upTo: 100, gate },
    { upTo: 10_000, gate: null },
  ],
  stopRules: [{ on: 'failed', share: 0.2, minimum: 5 }],
} as unknown as CampaignSettings;
const state: CampaignState = { ...noCampaign, status: 'running', settings, waveOpenedAt: at(0), runsSince: at(0) };
const tally = (change: Partial<Tally>): Tally => ({ ...NO_TALLY, ...change });
const judged = (of: CampaignState, all: Tally, minutes = 1, ofWave = all) =>
  supervise('k', of, { all, ofWave, now: NOW + minutes * MINUTE });

describe('supervision', () => {
  it('halts before it opens anything', () =>
    expect(judged(state, tally({ confirmed: 20, failed: 10 }))).toMatchObject({
      type: 'HaltCampaign',
      data: { cause: 'stop-rule', fired: { count: 10, responded: 30 } },
    }));
  it('opens the next wave', () =>
    expect(judged(state, tally({ confirmed: 9 }))).toEqual({
      type: 'OpenWave',
      data: { campaignId: 'k', waveUpTo: 10_000 },
    }));
  it('waits, and asks for a person when it takes too long', () => {
    expect(judged(state, tally({ confirmed: 1 }), 59)).toBeUndefined();
    expect(judged(state, tally({ confirmed: 1 }), 60)).toMatchObject({ data: { cause: 'wave-timeout', responded: 1 } });
  });
  it('has nothing to open behind the last wave', () => {
    const last = { ...state, settings: { ...settings, waveUpTo: 10_000 } };
    expect(judged(last, tally({ confirmed: 9 }), 1_000)).toBeUndefined();
  });

  describe('after a person has gone on', () => {
    const seen = tally({ confirmed: 20, failed: 10 });
    const halt: CampaignEvent = {
      type: 'CampaignHalted',
      data: { campaignId: 'k', cause: 'stop-rule', rule: null, count: 10, responded: 30, tally: seen },
    };
    const resume: CampaignEvent = { type: 'CampaignResumed', data: { campaignId: 'k', by: 'person:a', at: at(90) } };
    const wide = { ...state, settings: { ...settings, waveUpTo: 10_000 } };
    const resumed = [halt, resume].reduce(evolve, wide);

    it('does not halt for what they have seen', () => expect(judged(resumed, seen, 91)).toBeUndefined());
    it('halts again for what has come since', () =>
      expect(judged(resumed, tally({ confirmed: 24, failed: 12 }), 91)).toMatchObject({
        data: { cause: 'stop-rule', fired: { count: 2, responded: 6 } },
      }));
    it('gives the wave its time anew', () => {
      const inWave = [halt, resume].reduce(evolve, state);
      const few = tally({ confirmed: 1 });
      expect(judged(inWave, seen, 149, few)).toBeUndefined();
      expect(judged(inWave, seen, 150, few)).toMatchObject({ data: { cause: 'wave-timeout' } });
    });
  });
});

describe('a campaign, to a release that does not know all of its events', () => {
  it('stays as it was', () => {
    const board = new Board();
    const record = (type: string, data: object) =>
      ({ type, data, subject: 'k', stream: 'acme/k', topic: 'muster.campaign', tenant: 'acme' }) as never;
    board.apply(record('CampaignDrafted', { campaignId: 'k', by: null, parent: null, ...settings }));
    const before = board.tenant('acme').campaigns.get('k');
    board.apply(record('CampaignPolished', { campaignId: 'k', by: 'person:a', at: at(0) }));
    expect(board.tenant('acme').campaigns.get('k')).toEqual(before);
    expect(before?.status).toBe('draft');
  });
});

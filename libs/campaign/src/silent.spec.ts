import { describe, expect, it } from 'vitest';
import type { TenantBoard } from './board.js';
import { NO_CAPS } from './caps.js';
import { noCampaign } from './campaign.js';
import type { CampaignSettings } from './events.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import { Audience } from './silent.js';

const NOW = Date.parse('2026-11-30T09:00:00.000Z');
const board: TenantBoard = {
  contents: new Map([
    [
      'c-1',
      {
        published: {
          contentId: 'c-1',
          description: { name: 'c-1', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
          selector: 'true',
          sha256: 'ab',
          sizeBytes: 5,
        },
        withdrawn: false,
      },
    ],
  ]),
  campaigns: new Map(),
  schema: { version: 1, attributes: { model: { type: 'string' } } },
  approvals: 0,
  caps: NO_CAPS,
  rules: new Map(),
  catalogues: new Map(),
  selections: new Map(),
  revision: 1,
};
const audience = (change: Partial<CampaignSettings> = {}): Audience => {
  const settings: CampaignSettings = {
    ...{ name: 'radio', channel: 'main', contents: ['c-1'], mode: 'server', selector: 'device.model == "m1"' },
    ...{ start: null, end: null, windows: [], waveUpTo: 10_000, holdOut: 0, salt: 's', priority: 500 },
    ...PLAIN_SETTINGS,
    ...change,
  };
  return new Audience(board, 'k-1', { ...noCampaign, status: 'paused', settings }, NOW);
};

describe('whom a campaign is for', () => {
  it('is told by what is known of a device, where the server compares', () => {
    expect(audience().eligibility({ model: 'm1' })).toBe('eligible');
    expect(audience().eligibility({ model: 'm2' })).toBeUndefined();
    expect(audience().eligibility({})).toBeUndefined();
    expect(audience().eligibility(null)).toBe('unknown');
  });

  it('is not knowable where the devices compare, whatever one told another campaign', () => {
    expect(audience({ mode: 'device' }).eligibility({ model: 'm2' })).toBe('not-knowable');
    expect(audience({ mode: 'either' }).eligibility(null)).toBe('not-knowable');
    expect(audience({ mode: 'either' }).eligibility({ model: 'm1' })).toBe('eligible');
  });

  it('is nobody who is held out, or in no wave yet', () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `d-${i}`);
    const count = (of: Audience): number => ids.filter((id) => of.mayHave(id)).length;
    expect([count(audience()), count(audience({ holdOut: 10_000 })), count(audience({ waveUpTo: 0 }))]).toEqual([
      1_000, 0, 0,
    ]);
    expect(count(audience({ waveUpTo: 5_000 }))).toBeGreaterThan(400);
    expect(count(audience({ waveUpTo: 5_000 }))).toBeLessThan(600);
  });
});

import { describe, expect, it } from 'vitest';
import type { Campaign, CampaignStatus } from '../api/wire.js';
import { actsFor } from './acts.js';

const NOW = Date.parse('2026-12-01T12:00:00Z');
const campaign = (status: CampaignStatus, more: Partial<Campaign> = {}) =>
  ({ status, authors: ['person:ana'], waveUpTo: 100, undoable: null, ...more }) as Campaign;
const everything = { may: () => true, actor: 'person:li', approvals: 1, now: NOW };

describe('what can be done to a campaign', () => {
  it('follows its status', () => {
    expect(actsFor(campaign('draft'), everything)).toEqual(['submit']);
    expect(actsFor(campaign('in-review'), everything)).toEqual(['approve', 'reject']);
    expect(actsFor(campaign('approved'), everything)).toEqual(['reject', 'schedule']);
    expect(actsFor(campaign('running'), everything)).toEqual(['wave', 'pause', 'complete', 'abort']);
    expect(actsFor(campaign('halted'), everything)).toEqual(['resume', 'complete', 'abort']);
    expect(actsFor(campaign('completed'), everything)).toEqual(['retry']);
  });

  it('leaves review out where nobody has to approve', () => {
    expect(actsFor(campaign('draft'), { ...everything, approvals: 0 })).toEqual(['schedule']);
  });

  it('lets nobody judge what they have written', () => {
    expect(actsFor(campaign('in-review'), { ...everything, actor: 'person:ana' })).toEqual([]);
  });

  it('offers to take back only what still can be', () => {
    const undoable = (until: string) =>
      campaign('paused', { undoable: { step: 'CampaignPaused', until }, waveUpTo: 10_000 });
    expect(actsFor(undoable('2026-12-01T12:00:01Z'), everything)).toContain('undo');
    expect(actsFor(undoable('2026-12-01T11:59:59Z'), everything)).not.toContain('undo');
  });

  it('shows nothing that the caller may not do', () => {
    const author = { ...everything, may: (permission: string) => permission === 'campaign:write' };
    expect(actsFor(campaign('running'), author)).toEqual([]);
    expect(actsFor(campaign('draft'), author)).toEqual(['submit']);
    expect(actsFor(campaign('in-review'), author)).toEqual([]);
  });
});

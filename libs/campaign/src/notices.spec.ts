import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventRecord } from '#event-log/index.js';
import type { CampaignEvent } from './events.js';
import { LIFE_MS, nextTry, noticeKindOf, noticeOf } from './notices.js';
import { NO_TALLY } from './outcomes.js';

const NOW = Date.parse('2026-12-01T09:00:00.000Z');
const campaignId = '01890a5d-ac96-774b-bcce-b302099a8057';
const record = (event: CampaignEvent) =>
  ({
    ...event,
    id: 'e-1',
    tenant: 'acme',
    subject: campaignId,
    actor: 'person:p-1',
    occurredAt: '2026-12-01T09:00:00.000Z',
  }) as EventRecord<CampaignEvent>;
const told = (event: CampaignEvent) => {
  const kind = noticeKindOf(record(event));
  return kind === undefined ? undefined : noticeOf(record(event), kind, 'Radio');
};
const halted = { campaignId, count: 3, responded: 20, tally: NO_TALLY };

describe('a notice', () => {
  it.each<[string, CampaignEvent, string | undefined]>([
    [
      'campaign.halted',
      {
        type: 'CampaignHalted',
        data: { ...halted, cause: 'stop-rule', rule: { on: 'failed', share: 0.1, minimum: 10 } },
      },
      'stop rule failed: 3 of 20 devices',
    ],
    [
      'campaign.halted',
      { type: 'CampaignHalted', data: { ...halted, cause: 'wave-timeout', rule: null } },
      'a wave did not come to what its gate asks for in time',
    ],
    [
      'campaign.paused',
      { type: 'CampaignPaused', data: { campaignId, by: 'person:p-1', kind: 'soft', reason: 'lines are full' } },
      'lines are full',
    ],
    ['campaign.completed', { type: 'CampaignCompleted', data: { campaignId, reason: 'done' } }, 'done'],
    [
      'campaign.aborted',
      { type: 'CampaignAborted', data: { campaignId, by: 'person:p-1', disposition: 'keep', reason: 'wrong' } },
      'wrong',
    ],
    [
      'campaign.approval-needed',
      { type: 'CampaignSubmitted', data: { campaignId, by: 'person:p-1', required: 1, report: null } },
      undefined,
    ],
  ])('is %s, with what happened and nothing of who did it', (type, event, reason) => {
    const notice = told(event);
    expect(notice).toEqual({
      id: 'e-1',
      type,
      tenant: 'acme',
      campaignId,
      name: 'Radio',
      at: '2026-12-01T09:00:00.000Z',
      ...(reason === undefined ? {} : { reason }),
    });
    expect(JSON.stringify(notice)).not.toContain('person:');
  });

  it('is not sent of what goes its way, or of what is said of the whole tenant', () => {
    expect(told({ type: 'CampaignStarted', data: { campaignId } })).toBeUndefined();
    expect(told({ type: 'CampaignEnded', data: { campaignId, reason: 'done' } })).toBeUndefined();
    expect(noticeKindOf({ type: 'CataloguePublished' })).toBeUndefined();
  });

  it('has no name when the campaign cannot be read', () => {
    const completed = record({ type: 'CampaignCompleted', data: { campaignId, reason: 'done' } });
    expect(noticeOf(completed, 'completed', undefined)).not.toHaveProperty('name');
  });
});

describe('a notice that was not taken', () => {
  const queuedAt = NOW;
  it('is tried again after a while that doubles, up to an hour, by chance anywhere in it', () => {
    const longest = [1, 2, 3, 10, 11, 40].map((attempts) => nextTry({ attempts, queuedAt }, NOW, 1)! - NOW);
    expect(longest).toEqual([5_000, 10_000, 20_000, 2_560_000, 3_600_000, 3_600_000]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, random) => {
        const wait = nextTry({ attempts, queuedAt }, NOW, random)! - NOW;
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(nextTry({ attempts, queuedAt }, NOW, 1)! - NOW);
      }),
    );
  });

  it('is given up after a day', () => {
    expect(nextTry({ attempts: 30, queuedAt }, NOW + LIFE_MS - 3_600_001, 1)).toBe(NOW + LIFE_MS - 1);
    expect(nextTry({ attempts: 30, queuedAt }, NOW + LIFE_MS - 3_600_000, 1)).toBeNull();
    expect(nextTry({ attempts: 1, queuedAt }, NOW + LIFE_MS, 0)).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { isTrouble, touches } from './touches.js';

const event = (topic: string, name: string, data: Record<string, never> | object = {}) => ({
  topic,
  name,
  subject: 's',
  data: data as Record<string, never>,
});

describe('what an event makes stale', () => {
  it('is the campaign, its progress, its history and the list for a step of a campaign', () => {
    expect(touches(event('muster.campaign', 'CampaignPaused'))).toEqual([
      ['campaigns'],
      ['campaign', 's'],
      ['progress', 's'],
      ['events', 's'],
    ]);
  });

  it('is the progress of its campaign and the page of its device for what a device does', () => {
    expect(touches(event('muster.device', 'GrantIssued', { campaignId: 'c' }))).toEqual([
      ['progress', 'c'],
      ['timeline', 's'],
      ['explain', 's'],
    ]);
  });

  it('is every progress for a batch of polls, which names no campaign', () => {
    expect(touches(event('muster.device', 'PollsRecorded'))).toEqual([['progress']]);
  });

  it('is nothing for topics that no page shows', () => expect(touches(event('muster.ota', 'ScriptSent'))).toEqual([]));
});

describe('the feed of trouble', () => {
  it('has what failed and what was stopped', () => {
    expect(isTrouble(event('', 'CampaignHalted'))).toBe(true);
    expect(isTrouble(event('', 'InstallReported', { outcome: 'failed' }))).toBe(true);
    expect(isTrouble(event('', 'ContentDeclined', { reason: 'no-space' }))).toBe(true);
  });

  it('leaves out what is as it should be', () => {
    expect(isTrouble(event('', 'InstallReported', { outcome: 'installed' }))).toBe(false);
    expect(isTrouble(event('', 'ContentDeclined', { reason: 'no-fit' }))).toBe(false);
  });
});

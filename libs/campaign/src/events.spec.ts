import { describe, expect, it } from 'vitest';
import { eventCatalog } from '#event-log/index.js';
import { goldenSamples } from '#event-log/testing.js';
import { campaignDefinitions, type PackedPolls, unpackPolls } from './events.js';

goldenSamples(campaignDefinitions);

describe('events of the campaign room', () => {
  const catalog = eventCatalog(campaignDefinitions);
  const sampleOf = (type: string) =>
    campaignDefinitions.flatMap(({ events }) => events[type]?.samples ?? [])[0]!.data as Record<string, unknown>;

  it('unpacks the sample of PollsRecorded', () => {
    const data = sampleOf('PollsRecorded') as unknown as PackedPolls;
    expect(unpackPolls(data)).toEqual([
      {
        deviceNo: 1,
        at: Date.parse('2026-11-24T09:00:00.000Z'),
        rule: 'boot;v=1',
        answer: 'sent',
        digest: 'a1b2c3d4e5f6',
      },
    ]);
  });

  it('refuses a campaign without its salt as log.schema-violation', () => {
    const { salt: _, ...data } = sampleOf('CampaignDrafted');
    expect(() => catalog.check('muster.campaign', { type: 'CampaignDrafted', data })).toThrowError(
      expect.objectContaining({ code: 'log.schema-violation' }),
    );
  });
});

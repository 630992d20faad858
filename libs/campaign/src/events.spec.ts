import { describe, expect, it } from 'vitest';
import { eventCatalog } from '#event-log/index.js';
import { campaignDefinitions, unpackPolls } from './events.js';

describe('events of the campaign room', () => {
  const catalog = eventCatalog(campaignDefinitions);
  const samples = campaignDefinitions.flatMap(({ topic, events }) =>
    Object.entries(events).flatMap(([type, { samples }]) => samples.map(({ v, data }) => ({ topic, type, v, data }))),
  );

  it.each(samples)('reads the golden sample of $type v$v', ({ topic, type, v, data }) => {
    const { wire } = catalog.check(topic, { type, data });
    expect(wire).toContain(`.v${v}`);
    expect(catalog.read(wire, data)).toMatchObject({ type, data });
  });

  it('unpacks the sample of PollsRecorded', () => {
    const data = samples.find(({ type }) => type === 'PollsRecorded')!.data as Parameters<typeof unpackPolls>[0];
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
    const sample = samples.find(({ type }) => type === 'CampaignDrafted')!.data as Record<string, unknown>;
    const { salt: _, ...data } = sample;
    expect(() => catalog.check('muster.campaign', { type: 'CampaignDrafted', data })).toThrowError(
      expect.objectContaining({ code: 'log.schema-violation' }),
    );
  });
});

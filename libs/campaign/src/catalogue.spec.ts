import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Board } from './board.js';
import { catalogueOf } from './catalogue.js';
import type { CampaignEvent, ContentEvent } from './events.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import type { EventRecord } from '#event-log/index.js';

const record = (subject: string, version: number, event: ContentEvent | CampaignEvent): EventRecord =>
  ({ tenant: 'acme', subject, version, ...event }) as unknown as EventRecord;

const content = (contentId: string): EventRecord[] => [
  record(contentId, 1, {
    type: 'ContentPublished',
    data: {
      contentId,
      description: { name: contentId, version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
      selector: 'true',
      sha256: '5e'.repeat(32),
      sizeBytes: 5,
    },
  }),
];

const campaign = (campaignId: string, contents: string[], channel = 'main'): EventRecord[] => [
  record(campaignId, 1, {
    type: 'CampaignDrafted',
    data: {
      campaignId,
      name: campaignId,
      channel,
      contents,
      mode: 'either',
      selector: 'true',
      start: null,
      end: null,
      windows: [],
      waveUpTo: 10_000,
      holdOut: 0,
      salt: 's',
      priority: 1,
      ...PLAIN_SETTINGS,
      by: null,
      parent: null,
    },
  }),
  record(campaignId, 2, {
    type: 'CampaignScheduled',
    data: { campaignId, start: '2026-11-24T09:00:00.000Z', end: null },
  }),
  record(campaignId, 3, { type: 'CampaignStarted', data: { campaignId } }),
];

const keys = { keys: [] };
const catalogue = (streams: readonly EventRecord[][], channel = 'main') => {
  const board = new Board();
  for (const each of streams.flat()) board.apply(each);
  return catalogueOf(board.tenant('acme'), channel, keys);
};

describe('the catalogue of a channel', () => {
  const streams = [
    content('c-1'),
    content('c-2'),
    content('c-3'),
    campaign('k-1', ['c-1', 'c-2']),
    campaign('k-2', ['c-2']),
    campaign('k-3', ['c-1', 'c-2']),
    campaign('k-4', ['c-3'], 'beta'),
  ];

  it('is the same in whatever order the streams were read', () => {
    const expected = catalogue(streams);
    fc.assert(
      fc.property(fc.shuffledSubarray(streams, { minLength: streams.length }), (shuffled) => {
        expect(catalogue(shuffled)).toEqual(expected);
      }),
    );
  });

  it('holds what its campaigns offer, and no more', () => {
    expect(catalogue(streams).contents.map(({ path }) => path)).toEqual(['content/c-1', 'content/c-2']);
    expect(catalogue(streams).campaigns).toEqual(['k-1', 'k-2', 'k-3']);
    expect(catalogue(streams, 'beta').contents.map(({ path }) => path)).toEqual(['content/c-3']);
  });

  it('loses a content that was withdrawn, and the campaign that offered nothing else', () => {
    const withdrawn = record('c-3', 2, { type: 'ContentWithdrawn', data: { contentId: 'c-3', reason: 'r' } });
    expect(catalogue([...streams, [withdrawn]], 'beta')).toMatchObject({ contents: [], campaigns: [] });
  });

  it('has another digest when an offer changes', () => {
    const wave = record('k-1', 4, { type: 'WaveOpened', data: { campaignId: 'k-1', waveUpTo: 5 } });
    expect(catalogue([...streams, [wave]]).digest).not.toBe(catalogue(streams).digest);
    expect(catalogue([...streams, [wave]], 'beta').digest).toBe(catalogue(streams, 'beta').digest);
  });
});

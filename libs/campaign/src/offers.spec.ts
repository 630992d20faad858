import { describe, expect, it } from 'vitest';
import { bucketOf } from '#matching/index.js';
import { type CampaignState, noCampaign } from './campaign.js';
import type { ContentState } from './content.js';
import type { CampaignSettings } from './events.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import {
  conjunction,
  contentTarget,
  gateOf,
  isKnownOffer,
  isOffered,
  type MatchingSide,
  stopsTransfer,
} from './offers.js';

const NOW = Date.parse('2026-11-24T09:00:00.000Z'); // a Tuesday
const at = (hours: number): string => new Date(NOW + hours * 3_600_000).toISOString();

const content: ContentState = {
  published: {
    contentId: 'c-1',
    description: { name: 'n', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
    selector: 'device.a == 1',
    sha256: 'ab',
    sizeBytes: 5,
  },
  withdrawn: false,
};
const settings: CampaignSettings = {
  name: 'radio',
  channel: 'main',
  contents: ['c-1'],
  mode: 'device',
  selector: 'device.b || device.c',
  start: at(-1),
  end: at(1),
  windows: [],
  waveUpTo: 10_000,
  holdOut: 0,
  salt: 's',
  priority: 500,
  ...PLAIN_SETTINGS,
};
const campaign = (change: Partial<CampaignSettings> = {}, state: Partial<CampaignState> = {}): CampaignState => ({
  ...noCampaign,
  status: 'running',
  ...state,
  settings: { ...settings, ...change },
});
const about = { contentId: 'c-1', channel: 'main', deviceId: 'd-1', now: NOW, side: 'device' as MatchingSide };
const check = { ...about, content, campaign: campaign() };
const gate = (change: Partial<typeof check>) => gateOf({ ...check, ...change })?.gate;
const bucket = bucketOf('s', 'd-1');

describe('what a device may have', () => {
  const known = (state: Partial<CampaignState>) => isKnownOffer({ ...check, campaign: campaign({}, state) });
  it('is known once it was scheduled, whatever was taken back', () => {
    expect(known({ status: 'draft' })).toBe(false);
    expect(known({ status: 'draft', wasScheduled: true })).toBe(true);
    expect(known({ status: 'completed' })).toBe(true);
  });
  it('goes on while its campaign drains, and nothing else begins', () => {
    const draining = campaign({}, { status: 'draining' });
    expect(gateOf({ ...check, campaign: draining })?.gate).toBe('ended');
    expect(gateOf({ ...check, campaign: draining, isUnderWay: true })).toBeUndefined();
  });
});

describe('the gates', () => {
  it('let through what is offered, running and fits the wave', () => expect(gateOf(check)).toBeUndefined());

  it.each([
    ['another channel', { channel: 'beta' }],
    ['a content of another campaign', { contentId: 'c-2' }],
    ['a draft', { campaign: campaign({}, { status: 'draft' }) }],
    ['server-side matching', { campaign: campaign({ mode: 'server' }) }],
    ['device-side matching, where the server matches,', { side: 'server' }],
    ['no campaign', { campaign: undefined }],
    ['no content', { content: undefined }],
  ])('hold %s back as not-offered', (_, change) => expect(gate(change as Partial<typeof check>)).toBe('not-offered'));

  it.each([
    ['withdrawn', { content: { ...content, withdrawn: true } }],
    ['ended', { campaign: campaign({ end: at(0) }) }],
    ['ended', { campaign: campaign({}, { status: 'completed' }) }],
    ['ended', { campaign: campaign({}, { status: 'aborted' }) }],
    ['paused', { campaign: campaign({}, { status: 'paused', pause: 'soft' }) }],
    ['not-started', { campaign: campaign({ start: at(0.5) }, { status: 'scheduled' }) }],
    ['not-running', { campaign: campaign({}, { status: 'scheduled' }) }],
    ['wave', { campaign: campaign({ waveUpTo: bucket }) }],
    ['hold-out', { campaign: campaign({ holdOut: 10_000 - bucket }) }],
    ['window', { campaign: campaign({ windows: [{ days: [1], from: '08:00', to: '10:00', zone: 'UTC' }] }) }],
  ])('hold back by %s', (expected, change) => expect(gate(change as Partial<typeof check>)).toBe(expected));

  it.each([
    ['the wave that just holds the device', { waveUpTo: bucket + 1 }],
    ['the hold-out that just spares it', { holdOut: 10_000 - bucket - 1 }],
    ['an open window', { windows: [{ days: [2], from: '08:00', to: '10:00', zone: 'UTC' }] }],
    [
      'a window in the zone of the device, which only the device knows',
      { windows: [{ days: [1], from: '08:00', to: '08:01', zone: 'device' }] },
    ],
  ])('let through %s', (_, change) => expect(gate({ campaign: campaign(change) })).toBeUndefined());

  it('say when a window opens and when a campaign starts', () => {
    const windows = [{ days: [2], from: '10:00', to: '11:00', zone: 'UTC' }];
    expect(gateOf({ ...check, campaign: campaign({ windows }) })).toEqual({ gate: 'window', retryAfterSeconds: 3_600 });
    const later = campaign({ start: at(0.5) }, { status: 'scheduled' });
    expect(gateOf({ ...check, campaign: later })).toEqual({ gate: 'not-started', retryAfterSeconds: 1_800 });
  });
});

describe('an offer', () => {
  it('holds both selectors, either alone where the other is true', () => {
    expect(conjunction('a', 'b || c')).toBe('(a) && (b || c)');
    expect([conjunction('true', 'b'), conjunction('a', 'true'), conjunction('true', 'true')]).toEqual([
      'b',
      'a',
      'true',
    ]);
  });

  it('has every field', () =>
    expect(contentTarget(content, [['k-1', campaign()]])).toEqual({
      description: content.published!.description,
      offers: [
        {
          campaign: 'k-1',
          selector: '(device.a == 1) && (device.b || device.c)',
          salt: 's',
          waveUpTo: 10_000,
          holdOut: 0,
          start: at(-1),
          end: at(1),
          windows: [],
          priority: 500,
        },
      ],
    }));

  it('is not made for a withdrawn content', () =>
    expect(contentTarget({ ...content, withdrawn: true }, [['k-1', campaign()]])).toBeUndefined());

  it.each(['draft', 'paused', 'completed', 'aborted'] as const)('is not made by a campaign that is %s', (status) =>
    expect(isOffered(campaign({}, { status }))).toBe(false),
  );
});

describe('a running transfer', () => {
  it.each([
    [{}, content],
    [{ status: 'paused', pause: 'soft' }, content],
    [{ status: 'completed' }, content],
    [{ status: 'aborted' }, content],
  ] as const)('goes on under %o', (state, of) => expect(stopsTransfer(campaign({}, state), of)).toBe(false));

  it.each([
    [{ status: 'paused', pause: 'hard' }, content],
    [{ status: 'aborted', recalled: true }, content],
    [{}, { ...content, withdrawn: true }],
  ] as const)('stops under %o', (state, of) => expect(stopsTransfer(campaign({}, state), of)).toBe(true));
});

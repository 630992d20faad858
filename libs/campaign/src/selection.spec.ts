import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { matchOffer } from '#matching/index.js';
import { anyAttributes, anyTwoRules, TEST_SCHEMA } from '#matching/testing.js';
import type { TenantBoard } from './board.js';
import { NO_CAPS } from './caps.js';
import { type CampaignState, noCampaign } from './campaign.js';
import type { ContentState } from './content.js';
import type { CampaignSettings } from './events.js';
import { contentTarget } from './offers.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import { ChannelSelection } from './selection.js';
import { gatesOf, newlyHeld, opensInSeconds, selectFor } from './server-side.js';

const NOW = Date.parse('2026-11-30T09:00:00.000Z'); // a Monday
const content = (contentId: string, selector: string): ContentState => ({
  published: {
    contentId,
    description: { name: contentId, version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
    selector,
    sha256: 'ab',
    sizeBytes: 5,
  },
  withdrawn: false,
});
const campaign = (change: Partial<CampaignSettings>, status: CampaignState['status'] = 'running'): CampaignState => ({
  ...noCampaign,
  status,
  settings: {
    name: 'radio',
    channel: 'main',
    contents: ['c-1'],
    mode: 'server',
    selector: 'true',
    start: '2026-11-30T08:00:00.000Z',
    end: null,
    windows: [],
    waveUpTo: 10_000,
    holdOut: 0,
    salt: 's',
    priority: 500,
    ...PLAIN_SETTINGS,
    ...change,
  },
});

let board: TenantBoard;
const change = (step: () => void): void => {
  step();
  board.revision += 1;
};
beforeEach(() => {
  board = {
    contents: new Map([
      ['c-1', content('c-1', 'device.model == "m1"')],
      ['c-2', content('c-2', 'true')],
    ]),
    campaigns: new Map([['k-1', campaign({})]]),
    schema: { version: 1, attributes: { model: { type: 'string' }, free: { type: 'int' } } },
    approvals: 0,
    caps: NO_CAPS,
    rules: new Map(),
    catalogues: new Map(),
    selections: new Map(),
    revision: 1,
  };
});

const asker = { deviceId: 'd-1', channel: 'main', zone: 'UTC', attributes: { model: 'm1', free: 7 } };
const found = (selection: ChannelSelection, attributes: object = asker.attributes) =>
  selectFor(board, selection.follow(board), { ...asker, attributes: attributes as never }, NOW);
const ids = (offers: readonly { campaignId: string; contentId: string }[]) =>
  offers.map(({ campaignId, contentId }) => `${campaignId} ${contentId}`);

describe('what the server selects', () => {
  it('fits when the selectors of content and campaign are both true', () => {
    const selection = new ChannelSelection('main');
    expect(ids(found(selection).fits)).toEqual(['k-1 c-1']);
    change(() => board.campaigns.set('k-1', campaign({ selector: 'device.free > 9' })));
    expect(found(selection).fits).toEqual([]);
    expect(ids(found(selection, { model: 'm1', free: 10 }).fits)).toEqual(['k-1 c-1']);
  });

  it('does not fit when an attribute that decides is missing', () =>
    expect(found(new ChannelSelection('main'), {})).toEqual({ fits: [], held: [] }));

  it.each<[string, Partial<CampaignSettings>, CampaignState['status']]>([
    ['of another channel', { channel: 'beta' }, 'running'],
    ['that handsets compare', { mode: 'device' }, 'running'],
    ['that are drafts', {}, 'draft'],
    ['that are over', {}, 'completed'],
  ])('leaves campaigns out %s', (_, settings, status) => {
    change(() => board.campaigns.set('k-1', campaign(settings, status)));
    const selection = new ChannelSelection('main');
    expect(found(selection)).toEqual({ fits: [], held: [] });
    expect(selection.campaigns).toEqual([]);
  });

  it('follows the board: campaigns come, change and go, contents are withdrawn', () => {
    const selection = new ChannelSelection('main');
    expect(ids(found(selection).fits)).toEqual(['k-1 c-1']);
    change(() => board.campaigns.set('k-2', campaign({ contents: ['c-2'], mode: 'either' })));
    expect(ids(found(selection).fits)).toEqual(['k-1 c-1', 'k-2 c-2']);
    change(() => board.contents.set('c-1', { ...board.contents.get('c-1')!, withdrawn: true }));
    expect(ids(found(selection).fits)).toEqual(['k-2 c-2']);
    change(() => board.campaigns.set('k-2', campaign({ contents: ['c-2'] }, 'aborted')));
    expect(found(selection).fits).toEqual([]);
  });

  it('puts the campaign of the highest priority first that no gate holds', () => {
    change(() => {
      board.campaigns.set('k-2', campaign({ priority: 900, waveUpTo: 0 }));
      board.campaigns.set('k-3', campaign({ priority: 800 }));
    });
    const { fits, held } = found(new ChannelSelection('main'));
    expect(ids(fits)).toEqual(['k-3 c-1', 'k-1 c-1']); // the next counts where a cap holds the first
    expect(held).toEqual([]); // the device gets the content: nothing is held back from it
  });

  it('says which gate holds what fits, and when the first opens', () => {
    const monday = [{ days: [1], from: '22:00', to: '23:00', zone: 'device' }];
    change(() => board.campaigns.set('k-1', campaign({ windows: monday })));
    const { fits, held } = found(new ChannelSelection('main'));
    expect(fits).toEqual([]);
    expect(gatesOf(held)).toEqual({ 'k-1 c-1': 'window' });
    expect(opensInSeconds(held)).toBe(13 * 3_600);
    expect(newlyHeld(held, { 'k-1 c-1': 'window' })).toEqual([]);
    expect(newlyHeld(held, { 'k-1 c-1': 'wave' })).toEqual(held);
    expect(opensInSeconds([])).toBeUndefined();
  });

  it('knows the windows of a device in its own zone', () => {
    const morning = [{ days: [1], from: '10:00', to: '11:00', zone: 'device' }];
    change(() => board.campaigns.set('k-1', campaign({ windows: morning })));
    const selection = new ChannelSelection('main').follow(board);
    const inZone = (zone: string) => ids(selectFor(board, selection, { ...asker, zone }, NOW).fits);
    expect(inZone('Europe/Paris')).toEqual(['k-1 c-1']);
    expect(inZone('UTC')).toEqual([]);
  });

  it('is named by its campaigns and its channel alone', () => {
    const [one, other] = [new ChannelSelection('main').follow(board), new ChannelSelection('main')];
    expect(one.digest).toMatch(/^[0-9a-f]{12}$/);
    const before = one.digest;
    change(() => board.campaigns.set('k-1', campaign({ priority: 1 })));
    expect(one.follow(board).digest).toBe(before);
    expect(other.follow(board).digest).toBe(before);
    expect(new ChannelSelection('beta').follow(board).digest).not.toBe(before);
  });
});

describe('both exchanges', () => {
  const schedule = fc.record({
    start: fc.integer({ min: -2, max: 2 }),
    end: fc.option(fc.integer({ min: -1, max: 3 }), { nil: null }),
    windows: fc.array(
      fc.record({
        days: fc.constantFrom([1], [1, 2, 3, 4, 5, 6, 7], [2]),
        from: fc.constantFrom('00:00', '08:30', '22:00'),
        to: fc.constantFrom('02:00', '12:00', '23:59'),
        zone: fc.constantFrom('UTC', 'device', 'America/New_York'),
      }),
      { maxLength: 2 },
    ),
    waveUpTo: fc.constantFrom(0, 2_500, 5_000, 10_000),
    holdOut: fc.constantFrom(0, 3_000, 10_000),
  });
  const instant = (hours: number) => new Date(NOW + hours * 3_600_000).toISOString();

  it('give a device the same contents, for any rules, attributes and schedule', () =>
    fc.assert(
      fc.property(
        anyTwoRules(),
        anyAttributes(),
        schedule,
        fc.uuid(),
        fc.constantFrom('UTC', 'Asia/Tokyo', 'Europe/Paris'),
        ([ofContent, ofCampaign], attributes, { start, end, ...rest }, deviceId, zone) => {
          board.schema = TEST_SCHEMA;
          board.contents = new Map([['c-1', content('c-1', ofContent)]]);
          const period = { start: instant(start), end: end === null ? null : instant(end) };
          const state = campaign({ selector: ofCampaign, mode: 'either', ...rest, ...period });
          board.campaigns = new Map([['k-1', state]]);
          board.revision += 1;
          const [offer] = contentTarget(board.contents.get('c-1')!, [...board.campaigns])!.offers;
          const byDevice = matchOffer(offer!, { deviceId, attributes, schema: TEST_SCHEMA, now: NOW, zone }).fits;
          const asking = { deviceId, channel: 'main', zone, attributes };
          const byServer = selectFor(board, new ChannelSelection('main').follow(board), asking, NOW);
          expect(ids(byServer.fits)).toEqual(byDevice ? ['k-1 c-1'] : []);
        },
      ),
      { numRuns: 1_000 },
    ));
});

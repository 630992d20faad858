import { beforeEach, describe, expect, it } from 'vitest';
import type { Attributes } from '#matching/index.js';
import type { TenantBoard } from './board.js';
import { NO_CAPS } from './caps.js';
import { type CampaignState, noCampaign } from './campaign.js';
import type { ContentState } from './content.js';
import { digestOfDryRun, Replay, summaryOf } from './dry-run.js';
import type { CampaignSettings } from './events.js';
import { PLAIN_SETTINGS } from './plain-settings.js';

const FROM = Date.parse('2026-11-23T00:00:00.000Z'); // a Monday
const HOUR = 3_600_000;
const BYTES = 1_000;
const content = (contentId: string): ContentState => ({
  published: {
    contentId,
    description: { name: contentId, version: '1', mediaType: 'text/plain', sizeBytes: BYTES, attributes: {} },
    selector: 'true',
    sha256: 'ab',
    sizeBytes: BYTES,
  },
  withdrawn: false,
});
const settings = (change: Partial<CampaignSettings> = {}): CampaignSettings => ({
  ...{ name: 'radio', channel: 'main', contents: ['c-1'], mode: 'server', selector: 'device.model == "m1"' },
  ...{ start: null, end: null, windows: [], waveUpTo: 10_000, holdOut: 0, salt: 's', priority: 500 },
  ...PLAIN_SETTINGS,
  ...change,
});
const running = (change: Partial<CampaignSettings>): CampaignState => ({
  ...noCampaign,
  status: 'running',
  settings: settings({ start: '2026-11-29T08:00:00.000Z', ...change }),
});

let board: TenantBoard;
beforeEach(() => {
  board = {
    contents: new Map([
      ['c-1', content('c-1')],
      ['c-2', content('c-2')],
    ]),
    campaigns: new Map(),
    schema: { version: 1, attributes: { model: { type: 'string' } } },
    approvals: 0,
    caps: NO_CAPS,
    rules: new Map(),
    catalogues: new Map(),
    selections: new Map(),
    revision: 0,
  };
});

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `d-${i}`);
/** Each tells what it is, and polls once an hour, a second after the one before. */
interface Fleet {
  devices?: readonly string[];
  hours?: number;
  model?: () => string | null;
}
function replayed(draft: Partial<CampaignSettings>, fleet: Fleet = {}) {
  const { devices = ids(10), hours = 1, model = () => 'm1' } = fleet;
  const replay = new Replay(board, { campaignId: 'draft', settings: settings(draft) }, FROM);
  devices.forEach((deviceId) => {
    const told = model();
    if (told !== null) replay.known({ deviceId, attributes: { model: told } satisfies Attributes, zone: undefined });
  });
  for (let hour = 0; hour < hours; hour += 1)
    devices.forEach((deviceId, i) => replay.polled(deviceId, FROM + hour * HOUR + i * 1_000));
  return replay.report();
}

describe('a dry run', () => {
  it('counts who fits, and what they would have fetched, by the hour, once', () => {
    const report = replayed({}, { hours: 2 });
    expect(report).toMatchObject({ polls: 20, devices: 10, fits: 10, doesNotFit: 0, unknown: 0, served: 10 });
    expect(report.hours).toEqual([
      { at: FROM, polls: 10, matches: 10, bytes: 10 * BYTES },
      { at: FROM + HOUR, polls: 10, matches: 0, bytes: 0 },
    ]);
    expect(report.bytes).toBe(10 * BYTES);
  });

  it('tells those that do not fit from those of which nothing is known', () => {
    expect(replayed({}, { model: () => 'm2' })).toMatchObject({ fits: 0, doesNotFit: 10, unknown: 0, served: 0 });
    expect(replayed({}, { model: () => null })).toMatchObject({ fits: 0, doesNotFit: 0, unknown: 10, served: 0 });
  });

  it('takes what a device says later for what it is from then on', () => {
    const replay = new Replay(board, { campaignId: 'draft', settings: settings() }, FROM);
    replay.known({ deviceId: 'd-0', attributes: { model: 'm2' }, zone: undefined });
    replay.polled('d-0', FROM);
    replay.known({ deviceId: 'd-0', attributes: { model: 'm1' }, zone: undefined });
    replay.polled('d-0', FROM + HOUR);
    expect(replay.report().hours.map(({ matches }) => matches)).toEqual([0, 1]);
  });

  it('knows nothing but polls where the devices compare, and says so', () => {
    const report = replayed({ mode: 'device' });
    expect(report).toMatchObject({ isKnowable: false, polls: 10, devices: 10, fits: null, bytes: null, rivals: null });
    expect(report.hours).toEqual([{ at: FROM, polls: 10, matches: null, bytes: null }]);
  });

  it('holds back by wave and hold-out, which is as the draft says', () => {
    const { fits, served, held } = replayed({ waveUpTo: 5_000 }, { devices: ids(200) });
    expect(fits).toBe(200);
    expect(served! + held!.wave).toBe(200);
    expect(held!.wave).toBeGreaterThan(60);
    expect(replayed({ holdOut: 10_000 }).held).toEqual({ wave: 0, 'hold-out': 10 });
  });

  it('starves whom a cap leaves nothing until the end', () => {
    const report = replayed({ caps: { ...NO_CAPS, bytesPerDay: 4 * BYTES } }, { hours: 3 });
    expect(report).toMatchObject({ served: 4, starved: { cap: 6, conflict: 0, window: 0 } });
    expect(replayed({ caps: { ...NO_CAPS, transfers: 1 } }, { hours: 12 }).served).toBe(10);
  });

  it('starves whom no window is open for when they come', () => {
    const windows = [{ days: [1, 2, 3, 4, 5, 6, 7], from: '03:00', to: '04:00', zone: 'UTC' }];
    expect(replayed({ windows }).starved).toEqual({ cap: 0, conflict: 0, window: 10 });
    expect(replayed({ windows }, { hours: 4 })).toMatchObject({ served: 10, starved: { window: 0 } });
  });

  it('names the campaigns of its group that it meets, who comes first, and who waits for them', () => {
    const rival = { contents: ['c-2'], selector: 'true', conflictGroup: 'radio' };
    board.campaigns.set('heavier', running({ ...rival, priority: 900 }));
    board.campaigns.set('lighter', running({ ...rival, priority: 100 }));
    board.campaigns.set('of no group', running({ ...rival, conflictGroup: null }));
    const report = replayed({ conflictGroup: 'radio' });
    expect(report.rivals).toEqual([
      { campaignId: 'heavier', kind: 'group', devices: 10, won: 0 },
      { campaignId: 'lighter', kind: 'group', devices: 10, won: 10 },
    ]);
    expect(report).toMatchObject({ served: 0, starved: { conflict: 10 } });
    expect(replayed({ conflictGroup: 'radio' }, { hours: 2 })).toMatchObject({ served: 10, starved: { conflict: 0 } });
  });

  it('names who brings the same content, and takes what it brought for gone', () => {
    board.campaigns.set('heavier', running({ priority: 900 }));
    const report = replayed({}, { hours: 2 });
    expect(report.rivals).toEqual([{ campaignId: 'heavier', kind: 'content', devices: 10, won: 0 }]);
    expect(report).toMatchObject({ served: 0, starved: { conflict: 10 } });
  });

  it('leaves out what does not run, and other channels', () => {
    board.campaigns.set('paused', { ...running({ priority: 900 }), status: 'paused' });
    board.campaigns.set('elsewhere', running({ priority: 900, channel: 'beta' }));
    expect(replayed({})).toMatchObject({ served: 10, rivals: [] });
  });

  it('has a digest of draft, place in the log and days, and a summary for judges that names them', () => {
    const [one, other] = [settings(), settings({ priority: 501 })];
    const p = { position: 'p', days: 7 };
    expect(digestOfDryRun(one, p)).toMatch(/^[0-9a-f]{64}$/);
    expect(digestOfDryRun(one, p)).toBe(digestOfDryRun({ ...one }, p));
    expect(digestOfDryRun(other, p)).not.toBe(digestOfDryRun(one, p));
    expect(digestOfDryRun(one, { ...p, position: 'q' })).not.toBe(digestOfDryRun(one, p));
    expect(digestOfDryRun(one, { ...p, days: 1 })).not.toBe(digestOfDryRun(one, p));
    const told = { digest: 'd', position: 'p', days: 7, from: 'f', until: 'u', isPartial: false };
    const of = { ...told, cutBy: [] };
    const report = replayed({ caps: { ...NO_CAPS, bytesPerDay: 4 * BYTES } });
    expect(summaryOf({ ...of, report })).toEqual({
      ...told,
      ...{ isKnowable: true, polls: 10, devices: 10, fits: 10, served: 4, starved: 6, bytes: 4 * BYTES },
      ...{ peakBytesPerHour: 4 * BYTES, rivals: 0 },
    });
    expect(summaryOf({ ...of, report: replayed({ mode: 'device' }) })).toMatchObject({ fits: null, starved: null });
  });

  it('takes many devices by counts', () => {
    const report = replayed({ waveUpTo: 5_000 }, { devices: ids(20_000), hours: 4 });
    expect(report).toMatchObject({ polls: 80_000, devices: 20_000, fits: 20_000 });
  });
});

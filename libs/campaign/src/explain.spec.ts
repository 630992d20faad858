import { describe, expect, it } from 'vitest';
import { checkAttributes, checkSchema, DEVICE_ZONE, type ExplainedOffer, type GateName } from '#matching/index.js';
import type { TenantBoard } from './board.js';
import { NO_CAPS } from './caps.js';
import { type CampaignState, noCampaign } from './campaign.js';
import type { CampaignSettings } from './events.js';
import { Explainer, type KnownDevice, type Moment } from './explain.js';
import type { PastFact } from './past.js';
import { PLAIN_SETTINGS } from './plain-settings.js';

const NOW = Date.parse('2026-11-30T09:00:00.000Z');
const AT = '2026-11-30T08:30:00.000Z';
const REF = { contentId: 'c-1', campaignId: 'k-1' };
const SCHEMA = checkSchema({ version: 1, attributes: { free: { type: 'int' } } });

const stateOf = (settings: Partial<CampaignSettings>, state: Partial<CampaignState> = {}): CampaignState => ({
  ...noCampaign,
  status: 'running',
  ...state,
  settings: {
    ...PLAIN_SETTINGS,
    name: 'radio',
    channel: 'main',
    contents: ['c-1'],
    mode: 'server',
    selector: 'device.free > 9',
    start: '2026-11-30T08:00:00.000Z',
    end: null,
    windows: [],
    waveUpTo: 10_000,
    holdOut: 0,
    salt: 's',
    priority: 500,
    ...settings,
  },
});

function explain(
  campaign: CampaignState,
  device: Partial<KnownDevice> = {},
  moment: Partial<Moment> = {},
  others: Record<string, CampaignState> = {},
): ExplainedOffer {
  const description = { name: 'a', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} };
  const published = { contentId: 'c-1', description, selector: 'true', sha256: 'ab', sizeBytes: 5 };
  const board: TenantBoard = {
    contents: new Map([['c-1', { published, withdrawn: false }]]),
    campaigns: new Map([['k-1', campaign], ...Object.entries(others)]),
    schema: SCHEMA,
    approvals: 0,
    caps: NO_CAPS,
    rules: new Map(),
    catalogues: new Map(),
    selections: new Map(),
    revision: 1,
  };
  const told = { attributes: checkAttributes(SCHEMA, { free: 10 }), zone: 'UTC', at: AT };
  const known: KnownDevice = { deviceId: 'd-1', channel: 'main', status: 'active', told, past: [], ...device };
  return new Explainer(board).offer(known, REF, { now: NOW, admission: () => undefined, ...moment })!;
}

const gateOf = ({ gates }: ExplainedOffer, name: GateName) => gates.find(({ gate }) => gate === name);
const fact = (event: PastFact['event'], code: string | null = null, campaignId = 'k-1'): PastFact => ({
  event,
  campaignId,
  contentId: 'c-1',
  code,
  at: AT,
});
const nightly = { windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: '01:00', to: '05:00', zone: DEVICE_ZONE }] };

describe('an explanation', () => {
  it('is of an offer when every gate lets the device through', () => {
    const found = explain(stateOf({}));
    expect(found).toMatchObject({ offered: true, stoppedBy: null, rule: { result: true, at: AT, source: 'device' } });
    expect(found.gates.map(({ passes }) => passes)).toEqual(found.gates.map(() => true));
  });

  it.each<[GateName, Partial<CampaignSettings>, Partial<CampaignState>, Partial<KnownDevice>]>([
    ['known', {}, {}, { status: 'revoked' }],
    ['channel', { channel: 'beta' }, {}, {}],
    ['offered', {}, { status: 'draft' }, {}],
    ['ended', { end: '2026-11-30T09:00:00.000Z' }, {}, {}],
    ['paused', {}, { status: 'halted' }, {}],
    ['not-started', { start: '2026-11-30T10:00:00.000Z' }, {}, {}],
    ['not-running', {}, { status: 'scheduled' }, {}],
    ['hold-out', { holdOut: 10_000 }, {}, {}],
    ['wave', { waveUpTo: 0 }, {}, {}],
    ['no-fit', { selector: 'device.free > 10' }, {}, {}],
    ['window', nightly, {}, {}],
    ['taken', {}, {}, { past: [fact('GrantIssued', null, 'k-9')] }],
    ['declined', {}, {}, { past: [fact('ContentDeclined', 'user')] }],
  ])('names the gate that holds: %s', (name, settings, state, device) => {
    expect(explain(stateOf(settings, state), device)).toMatchObject({ offered: false, stoppedBy: name });
  });

  it('names the first that holds, and goes on to what is behind it', () => {
    const found = explain(stateOf({ waveUpTo: 0, ...nightly }, { status: 'paused', pause: 'soft' }));
    expect(found.stoppedBy).toBe('paused');
    expect(gateOf(found, 'wave')).toMatchObject({ passes: false, value: { waveUpTo: 0 }, source: 'computed' });
    expect(gateOf(found, 'window')).toMatchObject({ passes: false, value: { opensInSeconds: 57_600 } });
  });

  it('lets go on what was granted before its campaign began to drain', () => {
    const draining = stateOf({ waveUpTo: 0 }, { status: 'draining' });
    expect(explain(draining).stoppedBy).toBe('ended');
    expect(explain(draining, { past: [fact('GrantIssued')] }).stoppedBy).toBe('taken');
  });

  it('does not say when a window of its own zone opens to who may not see what a device told', () => {
    const opens = (settings: Partial<CampaignSettings>) =>
      gateOf(explain(stateOf(settings), {}, { maySeePersonal: false }), 'window')!.value.opensInSeconds;
    expect(opens(nightly)).toBeUndefined();
    expect(opens({ windows: [{ ...nightly.windows[0]!, zone: 'UTC' }] })).toBe(57_600);
  });

  it('does not know a window in the zone of a device that keeps it to itself, nor its rule, but what it reported', () => {
    const own = stateOf({ mode: 'device', ...nightly });
    const found = explain(own);
    expect(found).toMatchObject({ offered: 'unknown', rule: { result: 'unknown', because: 'not-knowable' } });
    expect(gateOf(found, 'window')).toMatchObject({ passes: 'unknown', because: 'not-knowable' });
    const asked = explain(own, { past: [fact('ContentRequested')] });
    expect(asked.rule).toMatchObject({
      result: true,
      source: 'device',
      at: AT,
      condition: { because: 'not-knowable' },
    });
    expect(JSON.stringify(explain(own))).not.toContain('"values"');
  });

  it('puts behind what goes before it, unless something holds that back', () => {
    const first = (state: Partial<CampaignState>) => ({ 'k-2': stateOf({ class: 'urgent' }, state) });
    expect(explain(stateOf({}), {}, {}, first({}))).toMatchObject({ offered: false, stoppedBy: 'precedence' });
    expect(explain(stateOf({}), {}, {}, first({ status: 'paused' })).offered).toBe(true);
  });

  it('knows of the past neither caps nor groups, and says so only where there are some', () => {
    const then = { admission: () => 'not-kept' as const };
    expect(explain(stateOf({}), {}, then).offered).toBe(true);
    const capped = explain(stateOf({ caps: { ...NO_CAPS, transfers: 1 } }), {}, then);
    expect(capped.offered).toBe('unknown');
    expect(gateOf(capped, 'cap')).toMatchObject({ passes: 'unknown', because: 'not-kept' });
  });

  it('asks nobody about caps behind a conflict', () => {
    const found = explain(stateOf({ conflictGroup: 'g' }), {}, { admission: () => ({ gate: 'conflict' }) });
    expect(found.stoppedBy).toBe('conflict');
    expect(gateOf(found, 'cap')).toMatchObject({ passes: 'unknown', because: 'not-asked' });
  });

  it('hides from who may not see it what a device told, and not what came of it', () => {
    const found = explain(stateOf({ selector: 'device.free > 10' }), {}, { maySeePersonal: false });
    expect(found).toMatchObject({ stoppedBy: 'no-fit', rule: { result: false, wouldMatchIf: null } });
    expect(found.rule!.condition).toEqual({
      op: 'leaf',
      condition: 'device.free > 10',
      result: 'unknown',
      because: 'personal',
    });
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';

/*
 * A campaign from its draft to its end, as managers, judges and operators see it by HTTP, and as devices meet its gates. The
 * devices are the test's own: they ask, take and report what it wants of them.
 */

interface Campaign {
  campaignId: string;
  status: string;
  version: number;
  waveUpTo: number;
  authors: string[];
  approvals: string[];
  undoable: { step: string; until: string } | null;
}

let muster: Installation;
const people = { author: '', approver: '', second: '', operator: '', everything: '' };
let contentId = '';
let n = 0;

const act = (token: string, campaignId: string, verb: string, body: object = {}): Promise<Answer> =>
  muster.people('POST', `/v1/campaigns/${campaignId}/${verb}`, { token, body, headers: { 'if-match': '*' } });
const acted = async (token: string, campaignId: string, verb: string, body: object = {}): Promise<Campaign> =>
  expectStatus(await act(token, campaignId, verb, body), 200).body as Campaign;
const read = (campaignId: string): Promise<Campaign> => muster.ok('GET', `/v1/campaigns/${campaignId}`);
const draft = (settings: object = {}): Promise<string> =>
  muster.draft([contentId], { mode: 'server', ...settings }, people.author);
const launch = async (settings: object = {}): Promise<string> => {
  const campaignId = await draft(settings);
  await acted(people.operator, campaignId, 'schedule');
  return campaignId;
};
const hasCome = (campaignId: string, status: string): Promise<Campaign> =>
  eventually(
    `the campaign is ${status}`,
    async () => {
      const campaign = await read(campaignId);
      return campaign.status === status ? campaign : undefined;
    },
    60_000,
  );

/** A device of the test: it asks, and reports what became of what it got. */
class Device {
  private n = 0;
  constructor(private readonly identity: Enrolled) {}

  /** @returns the campaigns that it was given something by, or that something is by that it has */
  async ask(...except: string[]): Promise<string[]> {
    const body = { attributes: {}, except };
    const answer = await muster.handset('POST', '/d/v1/availability', { device: this.identity, body });
    const { contents } = expectStatus(answer, 200).body as { contents: { campaignId: string }[] };
    return contents.map(({ campaignId }) => campaignId);
  }

  async report(campaignId: string, ...types: string[]): Promise<void> {
    const facts = types.map((type) => ({
      type,
      seq: { epoch: this.identity.epoch, n: (this.n += 1) },
      occurredAt: new Date().toISOString(),
      data: { contentId, campaignId, ...DATA[type] },
    }));
    expectStatus(await muster.handset('POST', '/d/v1/facts', { device: this.identity, body: { facts } }), 200);
  }
}
const DATA: Record<string, object> = {
  TransferCompleted: { bytes: 100, sha256: '5e'.repeat(32) },
  InstallReported: { outcome: 'installed' },
  OutcomeConfirmed: { outcome: 'confirmed' },
};
const ALL_WELL = ['TransferCompleted', 'InstallReported', 'OutcomeConfirmed'];
const failed = async (device: Device, campaignId: string): Promise<void> => {
  DATA.InstallReported = { outcome: 'failed', code: 'x' };
  await device.report(campaignId, 'InstallReported');
  DATA.InstallReported = { outcome: 'installed' };
};
const devices = (count: number): Promise<Device[]> =>
  Promise.all(Array.from({ length: count }, async () => new Device(await muster.enrol())));

/** None of another test's campaigns is in the way. */
async function abortAll(): Promise<void> {
  const { items } = await muster.ok<{ items: Campaign[] }>('GET', '/v1/campaigns?limit=200');
  for (const { campaignId, status } of items)
    if (!['completed', 'aborted', 'draft'].includes(status))
      await acted(muster.admin, campaignId, 'abort', { disposition: 'keep', reason: 'next test' });
}

async function publish(): Promise<string> {
  const uploadId = await muster.upload(randomBytes(100 + (n += 1)), people.author);
  const body = { uploadId, description: { name: 'wallet.bin', version: '2' } };
  return (await muster.ok<{ contentId: string }>('POST', '/v1/contents', { token: people.author, body })).contentId;
}

let skipped = 0;
/** Forward only: times of receipt never go back in the log, so what came before a clock was set back would seem to come after it. */
function skip(minutes: number): void {
  skipped += minutes;
  muster.turnClock(skipped * 60_000);
}

/** A token outlives the hours that this test skips; a session would not. */
const tokenOf = async (roles: readonly string[]): Promise<string> =>
  muster.secret(
    (await muster.ok<{ token: string }>('POST', '/v1/tokens', { body: { name: roles.join(' '), roles } })).token,
  );

beforeAll(async () => {
  muster = await Installation.start('campaign-life');
  for (const [name, roles] of Object.entries({
    author: ['author'],
    approver: ['approver'],
    second: ['approver'],
    operator: ['operator'],
    everything: ['author', 'approver', 'operator'],
  }))
    people[name as keyof typeof people] = roles.includes('approver')
      ? (await muster.addPerson('main', muster.admin, roles)).token // judging is for people
      : await tokenOf(roles);
  muster.admin = await tokenOf(['author', 'operator', 'admin', 'analyst']);
  contentId = await publish();
});
afterAll(() => muster?.stop());

describe('review', () => {
  it('is by others than the authors, as many as the tenant says, and void after any edit', async () => {
    await muster.ok('PUT', '/v1/review', { body: { approvals: 2 } });
    const campaignId = await draft();
    expectProblem(await act(people.operator, campaignId, 'schedule'), 409, 'campaign.not-approved');
    expect((await acted(people.author, campaignId, 'submit')).status).toBe('in-review');
    expect((await acted(people.approver, campaignId, 'approve', { remark: 'fine' })).status).toBe('in-review');
    expect((await acted(people.approver, campaignId, 'approve')).approvals).toHaveLength(1);
    expectProblem(await act(people.operator, campaignId, 'schedule'), 409, 'campaign.not-approved');
    expect((await acted(people.second, campaignId, 'approve')).status).toBe('approved');
    const body = { name: 'renamed', contents: [contentId], mode: 'server' };
    const headers = { 'if-match': '*' };
    const path = `/v1/campaigns/${campaignId}`;
    const edited = await muster.ok<Campaign>('PUT', path, { token: people.author, body, headers });
    expect(edited).toMatchObject({ status: 'draft', approvals: [] });
    expectProblem(await act(people.operator, campaignId, 'schedule'), 409, 'campaign.not-approved');
    await acted(people.author, campaignId, 'submit');
    expect((await acted(people.second, campaignId, 'reject', { reason: 'not on a Friday' })).status).toBe('draft');
    await acted(people.author, campaignId, 'submit');
    await acted(people.approver, campaignId, 'approve');
    await acted(people.second, campaignId, 'approve');
    expect((await acted(people.operator, campaignId, 'schedule')).status).toBe('running');
    await muster.ok('PUT', '/v1/review', { body: { approvals: 0 } });
  });

  it('is never by who has a hand in it, whatever roles they have', async () => {
    const campaignId = await muster.draft([contentId], { mode: 'server' }, people.everything);
    await acted(people.everything, campaignId, 'submit');
    expectProblem(await act(people.everything, campaignId, 'approve'), 403, 'campaign.own');
    expectProblem(await act(people.author, campaignId, 'approve'), 403, 'auth.forbidden');
    expect((await acted(people.approver, campaignId, 'approve')).status).toBe('approved');
  });

  it('refuses a version that is not the newest', async () => {
    const campaignId = await draft();
    await acted(people.author, campaignId, 'submit');
    const headers = { 'if-match': '"v1"' };
    const stale = await muster.people('POST', `/v1/campaigns/${campaignId}/approve`, {
      ...{ token: people.approver, headers, body: {} },
    });
    expectProblem(stale, 412, 'precondition.failed');
    expect((await read(campaignId)).status).toBe('in-review');
  });
});

describe('waves', () => {
  const waves = [{ upTo: 5_000, gate: { minimum: 4, success: 0.4, timeoutMinutes: 5 } }, { upTo: 10_000 }];

  it('open by what has become of the devices of the one before', async () => {
    await abortAll();
    const campaignId = await launch({ waves, timeouts: { confirmMinutes: 60, transferMinutes: null } });
    expect((await read(campaignId)).waveUpTo).toBe(5_000);
    const fleet = await devices(14);
    const given: Device[] = [];
    for (const device of fleet) if ((await device.ask()).includes(campaignId)) given.push(device);
    expect(given.length).toBeGreaterThan(3); // of 14, half of the buckets
    expect(given.length).toBeLessThan(14);
    for (const device of given.slice(0, 4)) await device.report(campaignId, ...ALL_WELL);
    await eventually('the next wave is open', async () =>
      (await read(campaignId)).waveUpTo === 10_000 ? true : undefined,
    );
    for (const device of fleet) expect(await device.ask()).toContain(campaignId);
  });

  it('that do not come to what their gate wants in time halt the campaign, and a person goes on with a reason', async () => {
    await abortAll();
    const campaignId = await launch({ waves });
    skip(6);
    await hasCome(campaignId, 'halted');
    const [device] = await devices(1);
    expect(await device!.ask()).toEqual([]);
    expectProblem(await act(people.operator, campaignId, 'resume'), 422, 'campaign.reason-missing', '/reason');
    expectProblem(await act(people.operator, campaignId, 'wave', { waveUpTo: 10_000 }), 409, 'campaign.halted');
    expect((await acted(people.operator, campaignId, 'resume', { reason: 'small fleet' })).status).toBe('running');
  });

  it.each<[string, object, string, string]>([
    ['do not widen', { waves: [{ upTo: 100 }, { upTo: 100 }] }, 'campaign.waves', '/waves/1/upTo'],
    ['do not come to all', { waves: [{ upTo: 100 }, { upTo: 9_999 }] }, 'campaign.waves', '/waves/1/upTo'],
    ['differ from the bound that is given', { waveUpTo: 7, waves: [{ upTo: 10_000 }] }, 'campaign.waves', '/waveUpTo'],
  ])('are refused that %s', async (_, settings, code, pointer) => {
    const body = { name: 'x', contents: [contentId], ...settings };
    expectProblem(await muster.people('POST', '/v1/campaigns', { token: people.author, body }), 422, code, pointer);
  });
});

describe('stop rules', () => {
  it('halt a campaign that fails, and nobody is given it any more', async () => {
    await abortAll();
    const campaignId = await launch({ stopRules: [{ on: 'failed', share: 0.3, minimum: 3 }] });
    const fleet = await devices(4);
    for (const device of fleet.slice(0, 3)) expect(await device.ask()).toEqual([campaignId]);
    await fleet[0]!.report(campaignId, ...ALL_WELL);
    await fleet[1]!.report(campaignId, ...ALL_WELL);
    await failed(fleet[2]!, campaignId);
    await hasCome(campaignId, 'halted');
    expect(await fleet[3]!.ask()).toEqual([]);
    const at = `/v1/events?topic=muster.campaign&subject=${campaignId}&type=CampaignHalted`;
    const { items } = await muster.ok<{ items: { data: object }[] }>('GET', at);
    expect(items[0]!.data).toMatchObject({ cause: 'stop-rule', rule: { on: 'failed' }, count: 1, responded: 3 });
  });

  it('see who installed it and is silent since', async () => {
    await abortAll();
    const timeouts = { confirmMinutes: 5, transferMinutes: null };
    const campaignId = await launch({ stopRules: [{ on: 'silent', share: 0, minimum: 1 }], timeouts });
    const [device] = await devices(1);
    await device!.ask();
    await device!.report(campaignId, 'TransferCompleted', 'InstallReported');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await read(campaignId)).status).toBe('running');
    skip(6);
    await hasCome(campaignId, 'halted');
  });
});

describe('caps', () => {
  it('let so many transfers go at one time, and the next when one has ended', async () => {
    await abortAll();
    const campaignId = await launch({ caps: { transfers: 2 } });
    const fleet = await devices(3);
    expect(await fleet[0]!.ask()).toEqual([campaignId]);
    expect(await fleet[1]!.ask()).toEqual([campaignId]);
    expect(await fleet[2]!.ask()).toEqual([]);
    expect(await fleet[0]!.ask()).toEqual([campaignId]); // who has a lease has it renewed
    await fleet[1]!.report(campaignId, 'TransferCompleted');
    await eventually('there is room', async () => (await fleet[2]!.ask()).includes(campaignId) || undefined);
  });

  it('are leases: one of a device that is never heard of again ends by itself', async () => {
    await abortAll();
    const campaignId = await launch({ caps: { transfers: 1 } });
    const fleet = await devices(2);
    await fleet[0]!.ask();
    expect(await fleet[1]!.ask()).toEqual([]);
    skip(16);
    expect(await fleet[1]!.ask()).toEqual([campaignId]);
  });

  it('hold under many that ask at once', async () => {
    await abortAll();
    const campaignId = await launch({ caps: { transfers: 3 } });
    const given = await Promise.all((await devices(12)).map((device) => device.ask()));
    expect(given.filter((campaigns) => campaigns.includes(campaignId))).toHaveLength(3);
  });

  it('of all campaigns together count what each of them takes', async () => {
    await abortAll();
    skip(40); // what was given before counts no more
    await muster.ok('PUT', '/v1/caps', { token: people.operator, body: { transfers: 1 } });
    const campaignId = await launch();
    const fleet = await devices(2);
    expect(await fleet[0]!.ask()).toEqual([campaignId]);
    expect(await fleet[1]!.ask()).toEqual([]);
    await muster.ok('PUT', '/v1/caps', { token: people.operator, body: {} });
    expect(await fleet[1]!.ask()).toEqual([campaignId]);
  });

  it('are free of what a recall has taken back', async () => {
    await abortAll();
    skip(40);
    await muster.ok('PUT', '/v1/caps', { token: people.operator, body: { transfers: 1 } });
    const recalled = await launch();
    const fleet = await devices(2);
    expect(await fleet[0]!.ask()).toEqual([recalled]);
    await acted(muster.admin, recalled, 'abort', { disposition: 'recall', reason: 'wrong bytes' });
    const next = await launch();
    await eventually('there is room', async () => (await fleet[1]!.ask()).includes(next) || undefined, 30_000);
    await muster.ok('PUT', '/v1/caps', { token: people.operator, body: {} });
  });

  it('of nothing are refused', async () => {
    const body = { name: 'x', contents: [contentId], caps: { bytesPerDay: 0 } };
    const answer = await muster.people('POST', '/v1/campaigns', { token: people.author, body });
    expectProblem(answer, 422, 'campaign.caps', '/caps/bytesPerDay');
  });
});

describe('campaigns of one group', () => {
  it('are on a device one after the other, the more urgent first', async () => {
    await abortAll();
    const other = await publish();
    const first = await launch({ conflictGroup: 'radio', class: 'background', priority: 1_000 });
    const urgent = await muster.draft([other], {
      mode: 'server',
      conflictGroup: 'radio',
      class: 'urgent',
      priority: 0,
    });
    await muster.schedule(urgent);
    const [device] = await devices(1);
    expect(await device!.ask()).toEqual([urgent]);
    expect(await device!.ask()).toEqual([urgent]);
    const mine = contentId;
    contentId = other;
    await device!.report(urgent, ...ALL_WELL);
    contentId = mine;
    await eventually('the other’s turn', async () => (await device!.ask(other)).includes(first) || undefined);
  });
});

describe('the last step', () => {
  it('is taken back within its grace time, and not after', async () => {
    await abortAll();
    const campaignId = await launch({ waveUpTo: 0 });
    const opened = await acted(people.operator, campaignId, 'wave', { waveUpTo: 10_000 });
    expect(opened.undoable).toMatchObject({ step: 'WaveOpened' });
    const undone = await acted(people.operator, campaignId, 'undo', { reason: 'slip' });
    expect(undone).toMatchObject({ waveUpTo: 0, status: 'running', undoable: null });
    expectProblem(await act(people.operator, campaignId, 'undo', { reason: 'again' }), 409, 'campaign.nothing-to-undo');
    await acted(people.operator, campaignId, 'abort', { disposition: 'keep', reason: 'slip' });
    expect((await acted(people.operator, campaignId, 'undo', { reason: 'slip' })).status).toBe('running');
    await acted(people.operator, campaignId, 'pause', { kind: 'soft', reason: 'r' });
    skip(6);
    expectProblem(await act(people.operator, campaignId, 'undo', { reason: 'late' }), 409, 'campaign.undo-late');
  });
});

describe('a campaign that is tried again', () => {
  it('is a draft that names it, for those of whom became what it says', async () => {
    await abortAll();
    const first = await launch();
    const [good, bad, stranger] = await devices(3);
    for (const device of [good!, bad!]) expect(await device.ask()).toEqual([first]);
    await good!.report(first, ...ALL_WELL);
    await failed(bad!, first);
    const outcomes = { outcomes: ['failed', 'silent'] };
    expectProblem(await act(people.author, first, 'retry', outcomes), 409, 'campaign.not-closed');
    await acted(people.operator, first, 'complete', { reason: 'done' });
    await hasCome(first, 'completed');
    const made = expectStatus(await act(people.author, first, 'retry', outcomes), 201).body as Campaign;
    expect(made).toMatchObject({ status: 'draft', parent: { campaignId: first, ...outcomes } });
    await acted(people.operator, made.campaignId, 'schedule');
    expect(await good!.ask()).toEqual([]);
    expect(await stranger!.ask()).toEqual([]);
    expect(await bad!.ask()).toEqual([made.campaignId]);
  });
});

describe('the end', () => {
  it('waits for what is under way, and lets nothing else begin', async () => {
    await abortAll();
    const campaignId = await launch();
    const fleet = await devices(2);
    await fleet[0]!.ask();
    await eventually('it is known to be under way', async () => {
      const { funnel } = await muster.ok<{ funnel: { requested: number } }>(
        'GET',
        `/v1/campaigns/${campaignId}/progress`,
      );
      return funnel.requested === 1 || undefined;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // the read model of outcomes may trail that of the funnel
    expect((await acted(people.operator, campaignId, 'complete', { reason: 'done' })).status).toBe('draining');
    expect(await fleet[1]!.ask()).toEqual([]);
    await fleet[0]!.report(campaignId, ...ALL_WELL);
    await hasCome(campaignId, 'completed');
  });
});

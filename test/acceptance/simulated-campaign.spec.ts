import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { Cli } from '../support/server.js';

/* What a draft would have come to, by polls that were recorded; and what the judges of a campaign see of it. */

interface DryRun {
  digest: string;
  isKnowable: boolean;
  isPartial: boolean;
  why: string | null;
  polls: number;
  devices: number;
  fits: number | null;
  hours: { polls: number; matches: number | null; bytes: number | null }[];
}
interface Campaign {
  status: string;
  dryRun: { digest: string; fits: number | null; polls: number } | null;
}

const BYTES = 1_000;
let muster: Installation;
let author = '';
let contentId = '';
let devices: Enrolled[] = [];

const tell = async (device: Enrolled, attributes: object): Promise<void> => {
  expectStatus(await muster.handset('POST', '/d/v1/availability', { device, body: { attributes } }), 200);
};
const draft = (more: object = {}): Promise<string> =>
  muster.draft([contentId], { mode: 'server', selector: 'device.model == "m1"', ...more }, author);
const simulate = (campaignId: string, query = ''): Promise<DryRun> =>
  muster.ok('GET', `/v1/campaigns/${campaignId}/dry-run${query}`);
const submit = (campaignId: string, body: object = {}) =>
  muster.people('POST', `/v1/campaigns/${campaignId}/submit`, {
    token: author,
    body,
    headers: { 'if-match': '*' },
  });

beforeAll(async () => {
  muster = await Installation.start('simulated-campaign');
  author = (await muster.addPerson('main', muster.admin, ['author'])).token;
  const attributes = { model: { type: 'string' }, tariff: { type: 'string' } };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  contentId = await muster.publish(randomBytes(BYTES));
  devices = await Promise.all(Array.from({ length: 5 }, () => muster.enrol()));
  for (const [i, device] of devices.entries()) await tell(device, { model: i < 3 ? 'm1' : 'm2' });
  await tell(devices[0]!, { model: 'm1' });
  await eventually('the polls are recorded', async () => {
    const facts = await muster.deviceFacts();
    const polls = facts.filter(({ name }) => name === 'PollsRecorded').map(({ data }) => data as { count: number });
    return polls.reduce((sum, { count }) => sum + count, 0) === 6 ? true : undefined;
  });
});
afterAll(() => muster.stop());

describe('a draft that is simulated', () => {
  it('counts who would have fitted and what would have gone out, and changes nothing', async () => {
    const campaignId = await draft();
    const end = await muster.settledEnd();
    const run = await simulate(campaignId);
    expect(run).toMatchObject({
      ...{ isKnowable: true, isPartial: false, why: null, polls: 6, devices: 5 },
      ...{ fits: 3, doesNotFit: 2, unknown: 0, served: 3, bytes: 3 * BYTES, rivals: [] },
      starved: { cap: 0, conflict: 0, window: 0 },
    });
    expect(run.hours.reduce((sum, { matches }) => sum + matches!, 0)).toBe(3);
    await muster.expectNothingSince(end);
  });

  it('compares by what is kept of a device, too', async () => {
    const campaignId = await draft({ selector: 'device.tariff == "gold"' });
    expect(await simulate(campaignId)).toMatchObject({ fits: 0 });
    const body = { attributes: { tariff: 'gold' } };
    await muster.ok('PUT', `/v1/devices/${devices[4]!.deviceId}/attributes`, { body });
    await eventually('it is known', async () => ((await simulate(campaignId)).fits === 1 ? true : undefined));
  });

  it('names who starves, and the campaigns that it meets', async () => {
    const caps = { transfers: null, bytesPerSecond: null, bytesPerDay: BYTES };
    expect(await simulate(await draft({ caps }))).toMatchObject({ fits: 3, served: 1, starved: { cap: 2 } });
    const other = await muster.publish(randomBytes(BYTES));
    const rival = await muster.draft([other], { mode: 'server', conflictGroup: 'radio', priority: 900 });
    await muster.schedule(rival);
    const run = await simulate(await draft({ conflictGroup: 'radio' }));
    expect(run).toMatchObject({ rivals: [{ campaignId: rival, kind: 'group', devices: 3, won: 0 }] });
  });

  it('says that it is not knowable where the devices compare, and why, and counts polls alone', async () => {
    const run = await simulate(await draft({ mode: 'device' }));
    expect(run).toMatchObject({ isKnowable: false, polls: 6, devices: 5, fits: null, bytes: null, rivals: null });
    expect(run.why).toContain('not known here');
  });

  it.each([
    ['0', '/days'],
    ['32', '/days'],
    ['many', '/days'],
    ['1.5', '/days'],
  ])('is refused for %s days', async (days, pointer) => {
    const url = `/v1/campaigns/${await draft()}/dry-run?days=${days}`;
    expectProblem(await muster.people('GET', url), 400, 'validation.failed', pointer);
  });

  it('is refused for a campaign that there is not', async () =>
    expectProblem(
      await muster.people('GET', '/v1/campaigns/01890a5d-ac96-774b-bcce-b302099a8057/dry-run'),
      404,
      'campaign.unknown',
    ));

  it('is shown by the command line', async () => {
    const cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
    const campaignId = await draft();
    expect(await cli.json('campaign', 'simulate', campaignId, '--days', '3')).toMatchObject({ fits: 3 });
    const said = await cli.text('campaign', 'simulate', campaignId);
    expect(said).toContain('do not fit');
    expect(await cli.text('campaign', 'simulate', await draft({ mode: 'device' }))).toContain('not knowable');
  });
});

describe('what the judges of a campaign see', () => {
  it('is a dry run, made at its submission when none is fresh', async () => {
    const campaignId = await draft();
    const submitted = expectStatus(await submit(campaignId), 200).body as Campaign;
    expect(submitted).toMatchObject({ status: 'in-review', dryRun: { fits: 3, polls: 6, isKnowable: true } });
    expect(submitted.dryRun!.digest).toMatch(/^[0-9a-f]{64}$/);
    const read = await muster.ok<Campaign>('GET', `/v1/campaigns/${campaignId}`);
    expect(read.dryRun).toEqual(submitted.dryRun);
    expectStatus(await submit(campaignId), 200);
  });

  it('is the one that its author has seen, or none', async () => {
    const campaignId = await draft();
    const { digest } = await simulate(campaignId, '?days=2');
    const refused = await submit(campaignId, { report: 'ab'.repeat(32) });
    expectProblem(refused, 409, 'campaign.report-stale', '/report');
    const submitted = expectStatus(await submit(campaignId, { report: digest }), 200).body as Campaign;
    expect(submitted.dryRun!.digest).toBe(digest);
  });

  it('is gone when the draft is edited', async () => {
    const campaignId = await draft();
    expectStatus(await submit(campaignId), 200);
    const body = { name: 'edited', contents: [contentId], mode: 'device' };
    const headers = { 'if-match': '*' };
    const edited = await muster.ok<Campaign>('PUT', `/v1/campaigns/${campaignId}`, { token: author, body, headers });
    expect(edited).toMatchObject({ status: 'draft', dryRun: null });
    expectStatus(await submit(campaignId), 200);
    expect(await muster.ok('GET', `/v1/campaigns/${campaignId}`)).toMatchObject({ dryRun: { isKnowable: false } });
  });
});

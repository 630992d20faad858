import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExplainedOffer, Explanation, GateName } from '#matching/index.js';
import { type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';

/*
 * `GET /v1/devices/{id}/explain` on a server of its own: both sides of matching, who may see what, and the past.
 */

let muster: Installation;
let viewer: string;
const campaigns = { server: '', device: '', either: '' };
const contents = { server: '', device: '', either: '' };
let told: Enrolled;
let quiet: Enrolled;

const MODEL = 'MX-canary-4711';
const explain = (device: Enrolled | string, campaign: string, more = '', token = muster.admin) =>
  muster.people(
    'GET',
    `/v1/devices/${typeof device === 'string' ? device : device.deviceId}/explain?campaign=${campaign}${more}`,
    { token },
  );
async function explained(device: Enrolled, campaign: string, more = '', token = muster.admin): Promise<Explanation> {
  return expectStatus(await explain(device, campaign, more, token), 200).body as Explanation;
}
const offerOf = ({ offers }: Explanation): ExplainedOffer => offers[0]!;
const gateOf = (offer: ExplainedOffer, name: GateName) => offer.gates.find(({ gate }) => gate === name)!;
const tell = (device: Enrolled, attributes: object) =>
  muster.handset('POST', '/d/v1/availability', { device, body: { attributes, zone: 'Europe/Berlin' } });

async function campaign(name: keyof typeof campaigns, settings: object): Promise<void> {
  contents[name] = await muster.publish(randomBytes(64));
  campaigns[name] = await muster.draft([contents[name]], { mode: name, ...settings });
  await muster.schedule(campaigns[name]);
}

beforeAll(async () => {
  muster = await Installation.start('explain');
  const types = { model: 'string', free: 'int' };
  const attributes = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }]));
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  const selector = `device.model == "${MODEL}" && device.free >= 100`;
  await campaign('server', { selector });
  await campaign('device', { selector });
  await campaign('either', { selector, waveUpTo: 0 });
  viewer = (await muster.addPerson('main', muster.admin, ['viewer'])).token;
  told = await muster.enrol();
  quiet = await muster.enrol();
});
afterAll(() => muster?.stop());

describe('an explanation', () => {
  it('says that a device has told nothing yet', async () => {
    const { by, position, offers } = await explained(told, campaigns.server);
    expect({ by, position: typeof position, offers: offers.length }).toEqual({
      by: 'server',
      position: 'string',
      offers: 1,
    });
    expect(offers[0]).toMatchObject({ contentId: contents.server, offered: 'unknown', stoppedBy: null, history: [] });
    expect(offers[0]!.rule).toMatchObject({ result: 'unknown', because: 'not-told', wouldMatchIf: null });
  });

  it('says which condition fails, by what the device told, and what would have to change', async () => {
    expectStatus(await tell(told, { model: MODEL, free: 5 }), 200);
    const offer = offerOf(await explained(told, campaigns.server));
    expect(offer).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    const [model, free] = offer.rule!.condition!.parts!;
    expect(model).toMatchObject({
      result: true,
      values: [{ attribute: 'device.model', value: MODEL, source: 'device' }],
    });
    expect(free).toMatchObject({ result: false, values: [{ attribute: 'device.free', value: 5 }] });
    expect(offer.rule!.wouldMatchIf).toEqual([{ condition: 'device.free >= 100', is: false, to: true }]);
    expect(offer.rule!.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says of a missing attribute its name', async () => {
    const device = await muster.enrol();
    expectStatus(await tell(device, { model: MODEL }), 200);
    const offer = offerOf(await explained(device, campaigns.server));
    expect(offer).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    expect(offer.rule!.condition!.parts![1]).toMatchObject({
      result: 'unknown',
      because: 'missing',
      values: [{ attribute: 'device.free', value: null }],
    });
  });

  it('goes on to say that it is offered, was offered, and by which gate it is stopped', async () => {
    const device = await muster.enrol();
    const before = offerOf(await explained(device, campaigns.server));
    expectStatus(await tell(device, { model: MODEL, free: 900 }), 200);
    const after = offerOf(await explained(device, campaigns.server));
    expect(before.history).toEqual([]);
    expect(after.history.map(({ event }) => event)).toEqual(['OfferMade', 'GrantIssued']);
    expect(after).toMatchObject({ offered: false, stoppedBy: 'taken', rule: { result: true, wouldMatchIf: null } });
    const held = offerOf(await explained(device, campaigns.either));
    expect(held).toMatchObject({ offered: false, stoppedBy: 'wave' });
    expect(gateOf(held, 'wave')).toMatchObject({ passes: false, source: 'computed', value: { waveUpTo: 0 } });
    expect(held.history).toMatchObject([{ event: 'OfferWithheld', code: 'wave' }]);
  });

  it('knows of a device that compares by itself what it reported, and no value, although it told some elsewhere', async () => {
    const offer = offerOf(await explained(told, campaigns.device));
    expect(offer).toMatchObject({ offered: 'unknown', rule: { result: 'unknown', because: 'not-knowable' } });
    expect(JSON.stringify(offer.rule!.condition)).not.toContain('"value"');
    const declines = [{ contentId: contents.device, campaignId: campaigns.device, reason: 'no-fit' }];
    const body = { snapshotVersion: 1, declines };
    expectStatus(await muster.handset('POST', '/d/v1/declines', { device: quiet, body }), 204);
    const declined = offerOf(await explained(quiet, campaigns.device));
    expect(declined).toMatchObject({ offered: false, stoppedBy: 'no-fit', rule: { result: false, source: 'device' } });
    expect(declined.rule!.condition).toMatchObject({ result: 'unknown', because: 'not-knowable' });
  });

  it('shows what a device told to who acts on devices, and to nobody else', async () => {
    const answer = await explain(told, campaigns.server, '', viewer);
    const offer = offerOf(expectStatus(answer, 200).body as Explanation);
    expect(offer).toMatchObject({ offered: false, stoppedBy: 'no-fit', rule: { result: false, wouldMatchIf: null } });
    expect(offer.rule!.condition!.parts).toEqual([
      expect.objectContaining({ result: 'unknown', because: 'personal' }),
      expect.objectContaining({ result: 'unknown', because: 'personal' }),
    ]);
    expect(answer.bytes.toString('utf8')).not.toContain('"values"');
  });
});

describe('an explanation of the past', () => {
  it('does not change when more happens', async () => {
    const device = await muster.enrol();
    expectStatus(await tell(device, { model: MODEL, free: 7 }), 200);
    const first = await explained(device, campaigns.server);
    const at = `&as_of=${first.position}`;
    const then = await explained(device, campaigns.server, at);
    expect(offerOf(then)).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    const pause = { headers: { 'if-match': '*' }, body: { kind: 'soft', reason: 'a question' } };
    await muster.ok('POST', `/v1/campaigns/${campaigns.server}/pause`, pause);
    expectStatus(await tell(device, { model: MODEL, free: 900 }), 200);
    expect(offerOf(await explained(device, campaigns.server))).toMatchObject({ stoppedBy: 'paused' });
    expect(await explained(device, campaigns.server, at)).toEqual(then);
    const instant = await explained(device, campaigns.server, `&as_of=${then.at}`);
    expect(instant).toMatchObject({ at: then.at, offers: [{ stoppedBy: 'no-fit' }] });
    await muster.ok('POST', `/v1/campaigns/${campaigns.server}/resume`, { headers: { 'if-match': '*' }, body: {} });
    expect(await explained(device, campaigns.server, at)).toEqual(then);
    expect(await explained(device, campaigns.server, `&as_of=${then.at}`)).toEqual(instant);
  });

  it('says nothing of what a forgotten device told, then as now', async () => {
    const device = await muster.enrol();
    expectStatus(await tell(device, { model: MODEL, free: 7 }), 200);
    const at = `&as_of=${(await explained(device, campaigns.server)).position}`;
    await muster.ok('POST', `/v1/devices/${device.deviceId}/forget`, { body: { reason: 'asked' } });
    const now = offerOf(await explained(device, campaigns.server));
    expect(now).toMatchObject({ offered: false, stoppedBy: 'known', rule: { result: 'unknown', because: 'erased' } });
    const then = offerOf(await explained(device, campaigns.server, at));
    expect(then).toMatchObject({ offered: 'unknown', rule: { result: 'unknown', because: 'erased' } });
    expect(JSON.stringify(then.rule!.condition)).not.toContain('"values"');
  });

  it('does not know of a campaign or a device that was not there then', async () => {
    const before = (await explained(told, campaigns.server)).position!;
    const device = await muster.enrol();
    expectProblem(await explain(device, campaigns.server, `&as_of=${before}`), 404, 'device.unknown');
    const later = await muster.draft([contents.server], { mode: 'server' });
    expect((await explained(told, later)).offers[0]).toMatchObject({ offered: false, stoppedBy: 'offered' });
    expectProblem(await explain(told, later, `&as_of=${before}`), 404, 'campaign.unknown');
  });
});

describe('a question that cannot be answered', () => {
  const NOBODY = '01890a5d-ac96-774b-bcce-b302099a8057';
  it.each([
    ['no campaign', () => explain(told, ''), 400, 'validation.failed'],
    ['a campaign that is none', () => explain(told, 'x'), 400, 'validation.failed'],
    ['a device that is none', () => explain('x', campaigns.server), 400, 'validation.failed'],
    ['an unknown campaign', () => explain(told, NOBODY), 404, 'campaign.unknown'],
    ['an unknown device', () => explain(NOBODY, campaigns.server), 404, 'device.unknown'],
    ['a moment that is none', () => explain(told, campaigns.server, '&as_of=yesterday'), 400, 'as-of.malformed'],
    ['a moment to come', () => explain(told, campaigns.server, '&as_of=9999-12-31T23:59:59Z'), 400, 'as-of.future'],
    ['more than it takes', () => explain(told, campaigns.server, '&surplus=1'), 400, 'validation.failed'],
    ['nobody who asks', () => explain(told, campaigns.server, '', 'none'), 401, 'auth.invalid'],
  ])('is refused: %s', async (_, ask, status, code) => {
    expectProblem(await ask(), status, code);
  });

  it('about another tenant finds nothing', async () => {
    const other = await muster.addTenant('beta');
    expectProblem(await explain(told, campaigns.server, '', other), 404, 'device.unknown');
    const theirs = await muster.enrol(other);
    expectProblem(await explain(theirs, campaigns.server, '', other), 404, 'campaign.unknown');
  });
});

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { Cli } from '../support/server.js';

/*
 * A rule that somebody writes, before anything is made of it: whom it is for among the devices that the server knows, what it
 * comes to for one of them, and what it changes.
 */

interface Share {
  devices: number;
  from: number;
  to: number;
}
interface Audience {
  isKnowable: boolean;
  devices: number | null;
  looked: number | null;
  isPartial: boolean;
  thanSelector: string | null;
  [share: string]: Share | boolean | number | string | null;
}
interface Fit {
  result: boolean | 'unknown';
  condition: { result: unknown; parts: object[]; because?: string } | null;
  wouldMatchIf: object[] | null;
}

const MODELS = ['m1', 'm2', 'm3'];
const SELECTORS = [
  'device.model == "m1"',
  'device.free > 5',
  'device.model == "m2" && device.free > 5',
  'device.model != "m2" || device.free < 3',
  '!(device.model in ["m1", "m3"])',
  'has(device.free) && device.model == "m3"',
];
const exactly = (devices: number): Share => ({ devices, from: devices, to: devices });

let muster: Installation;
const devices: Enrolled[] = [];
let author = '';

const count = async (selector: string, more = ''): Promise<Audience> =>
  muster.ok('GET', `/v1/audience?selector=${encodeURIComponent(selector)}${more}`, { token: author });
const fit = async (device: Enrolled, selector: string, token = author): Promise<Fit> =>
  muster.ok('GET', `/v1/devices/${device.deviceId}/fit?selector=${encodeURIComponent(selector)}`, { token });

beforeAll(async () => {
  muster = await Installation.start('audience');
  author = (await muster.addPerson('main', muster.admin, ['author'])).token;
  const attributes = { model: { type: 'string' }, free: { type: 'int' } };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  for (let i = 0; i < 12; i += 1) {
    const device = await muster.enrol();
    devices.push(device);
    if (i % 4 === 3) continue; // tells nothing
    const told = { model: MODELS[i % 3]!, ...(i % 2 === 0 ? { free: i } : {}) };
    expectStatus(
      await muster.handset('POST', '/d/v1/availability', { device, body: { attributes: told, except: [] } }),
      200,
    );
  }
  await muster.settledEnd();
});
afterAll(() => muster?.stop());

describe('whom a rule is for', () => {
  it.each(SELECTORS)('is counted as it comes to for each device: %s', async (selector) => {
    const results: unknown[] = [];
    for (const device of devices) results.push((await fit(device, selector)).result);
    const of = (result: boolean | 'unknown') => results.filter((each) => each === result).length;
    const counted = await count(selector);
    expect(counted).toMatchObject({ isKnowable: true, isPartial: false, devices: 12, looked: 12 });
    expect(counted).toMatchObject({ matching: exactly(of(true)), notMatching: exactly(of(false)), untold: exactly(3) });
    expect(counted).toMatchObject({ unknown: exactly(of('unknown') - 3), gained: null, lost: null });
  });

  it('is not knowable where the devices compare, which is no reason not to check the rule', async () => {
    const some = await count('device.model == "m1"', '&mode=device');
    expect(some).toMatchObject({ isKnowable: false, devices: null, matching: null });
    const nonsense = await muster.people('GET', '/v1/audience?mode=device&selector=device.x', { token: author });
    expectProblem(nonsense, 422, 'rule.unknown-attribute', '/selector');
  });

  it('is narrowed by what contents say of themselves, and compared with what stands in its place', async () => {
    const body = { uploadId: await muster.upload(Buffer.from('x')), description: { name: 'x', version: '1' } };
    const { contentId } = await muster.ok<{ contentId: string }>('POST', '/v1/contents', {
      body: { ...body, selector: 'device.model == "m1"' },
    });
    const m1 = (await count('device.model == "m1"')).matching as Share;
    const both = (await count('device.free > 5', `&content=${contentId}`)).matching as Share;
    expect(both).toEqual((await count('device.model == "m1" && device.free > 5')).matching);
    const m2 = await count('device.model == "m2"', `&than=${contentId}`);
    expect(m2).toMatchObject({ thanSelector: 'device.model == "m1"', gained: m2.matching, lost: m1 });
    const campaignId = await muster.draft([contentId], { selector: 'device.free > 5' });
    expect(await count('true', `&than=${campaignId}`)).toMatchObject({ thanSelector: 'device.free > 5' });
  });

  it('is asked in one channel', async () =>
    expect(await count('true', '&channel=beta')).toMatchObject({ devices: 0, looked: 0, matching: exactly(0) }));

  it.each([
    ['selector=device.model', 422, 'rule.type', '/selector'],
    ['selector=(', 422, 'rule.parse', '/selector'],
    ['sample=99', 400, 'validation.failed', '/sample'],
    ['mode=both', 400, 'validation.failed', '/mode'],
    ['content=x', 400, 'validation.failed', '/content'],
    ['content=01890a5d-ac96-774b-bcce-b302099a8057', 404, 'content.unknown', '/content/0'],
    ['than=01890a5d-ac96-774b-bcce-b302099a8057', 404, 'audience.than', '/than'],
  ])('is refused for %s', async (query, status, code, pointer) => {
    const answer = await muster.people('GET', `/v1/audience?${query}`, { token: author });
    expectProblem(answer, status, code, pointer);
  });
});

describe('a rule tried on one device', () => {
  it('is shown with what it read to who acts on devices, and else by its result alone', async () => {
    const [device] = devices;
    const everything = (await muster.addPerson('main', muster.admin, ['author', 'operator'])).token;
    const shown = await fit(device!, 'device.model == "m2" && device.free > 5', everything);
    expect(shown).toMatchObject({ result: false, condition: { result: false } });
    expect(JSON.stringify(shown.condition)).toContain('"m1"');
    expect(shown.wouldMatchIf).not.toBeNull();
    const hidden = await fit(device!, 'device.model == "m2" && device.free > 5');
    expect(hidden).toMatchObject({ result: false, condition: { because: 'personal' }, wouldMatchIf: null });
    expect(JSON.stringify(hidden)).not.toContain('"m1"');
  });

  it('is unknown for a device that has told nothing', async () =>
    expect(await fit(devices[3]!, 'device.free > 5')).toMatchObject({ result: 'unknown', because: 'not-told' }));

  it('is refused for no device, and for no rule', async () => {
    const nobody = '/v1/devices/01890a5d-ac96-774b-bcce-b302099a8057/fit?selector=true';
    expectProblem(await muster.people('GET', nobody, { token: author }), 404, 'device.unknown');
    const url = `/v1/devices/${devices[0]!.deviceId}/fit`;
    expectProblem(await muster.people('GET', url, { token: author }), 400, 'validation.failed', '/selector');
    const parse = await muster.people('GET', `${url}?selector=)`, { token: author });
    expectProblem(parse, 422, 'rule.parse', '/selector');
  });
});

it('is there for the command line', async () => {
  const file = path.join(muster.folder.path, 'token');
  writeFileSync(file, author, { mode: 0o600 });
  const cli = new Cli(muster.server, path.join(muster.folder.path, 'author'));
  const rule = (...args: string[]) => cli.text('rule', ...args, '--token-file', file);
  const counted = JSON.parse(await rule('count', 'device.model == "m1"', '--json')) as Audience;
  expect(counted).toMatchObject({ devices: 12, matching: (await count('device.model == "m1"')).matching });
  expect(await rule('count', 'true', '--mode', 'device')).toContain('not knowable');
  expect(await rule('test', 'device.free > 5', '--device', devices[0]!.deviceId)).toMatch(/^false/);
});

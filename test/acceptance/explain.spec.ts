import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExplainedOffer, Explanation } from '#matching/index.js';
import { findCanaries, numberCanary, textCanary } from '../support/canary.js';
import { Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { Cli, Handset } from '../support/server.js';

/*
 * Why a device gets something or not, asked of the server, by the command line and of the agents themselves: one form, both sides
 * of matching, real processes; and what the server says of a moment stays as it was.
 */

const model = textCanary('MX-');
const least = numberCanary();
const SELECTOR = `device.model == "${model}" && device.free >= ${least}`;

interface Agent {
  handset: Handset;
  deviceId: string;
  options: string[];
}

let muster: Installation;
let cli: Cli;
const agents = { server: [] as Agent[], device: [] as Agent[] };
const campaigns = { server: '', device: '' };

async function enrol(name: string, exchange: 'server' | 'device', attributes: object): Promise<Agent> {
  const handset = new Handset(name, muster.folder.path, { MUSTER_TEST_CLOCK: muster.server.clockFile });
  const { code } = await muster.newCode();
  const server = `https://127.0.0.1:${muster.server.handsetPort}`;
  const said = await handset.text('enrol', server, '--ca', muster.caFingerprint, '--code', code);
  const file = path.join(handset.folder, 'attributes.json');
  writeFileSync(file, JSON.stringify(attributes));
  const options = ['--exchange', exchange, '--attributes', file, '--reserve', '1024', '--zone', 'UTC'];
  return { handset, deviceId: (JSON.parse(said) as { deviceId: string }).deviceId, options };
}

const poll = ({ handset, options }: Agent) => handset.text('poll', ...options);
const own = async ({ handset, options }: Agent, campaignId: string): Promise<Explanation> => {
  const found = JSON.parse(await handset.text('explain', campaignId, ...options)) as Explanation[];
  expect(found.map((each) => each.campaignId)).toEqual([campaignId]);
  return found[0]!;
};
const why = ({ deviceId }: Agent, campaignId: string, ...more: string[]): Promise<Explanation> =>
  cli.json('device', 'why', deviceId, '--campaign', campaignId, ...more);
const offerOf = ({ offers }: Explanation): ExplainedOffer => offers[0]!;
const formOf = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.slice(0, 1).map(formOf)
    : typeof value === 'object' && value !== null
      ? Object.keys(value)
          .filter((name) => name !== 'because')
          .sort()
      : typeof value;

beforeAll(async () => {
  muster = await Installation.start('acceptance-explain');
  cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
  const attributes = { model: { type: 'string' }, free: { type: 'int' } };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  for (const mode of ['server', 'device'] as const) {
    const contentId = await muster.publish(randomBytes(500));
    campaigns[mode] = await muster.draft([contentId], { mode, selector: SELECTOR });
    await muster.schedule(campaigns[mode]);
    agents[mode].push(await enrol(`${mode}-fits`, mode, { model, free: least + 1 }));
    agents[mode].push(await enrol(`${mode}-full`, mode, { model, free: 5 }));
  }
  await eventually('the catalogue has the campaign', async () => {
    await poll(agents.device[1]!);
    const found = JSON.parse(
      await agents.device[1]!.handset.text('explain', campaigns.device, ...agents.device[1]!.options),
    ) as object[];
    return found.length > 0 || undefined;
  });
});
afterAll(() => muster?.stop());

describe('a device that the server compares', () => {
  it('is explained by what it told, condition by condition', async () => {
    const [fits, full] = agents.server as [Agent, Agent];
    expect(offerOf(await why(full, campaigns.server))).toMatchObject({
      offered: 'unknown',
      rule: { because: 'not-told' },
    });
    await poll(full);
    const held = offerOf(await why(full, campaigns.server));
    expect(held).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    expect(held.rule!.wouldMatchIf).toEqual([{ condition: `device.free >= ${least}`, is: false, to: true }]);
    await poll(fits);
    await eventually('it is installed', async () => {
      const { history } = offerOf(await why(fits, campaigns.server));
      return history.some(({ event }) => event === 'OutcomeConfirmed') || undefined;
    });
    const got = offerOf(await why(fits, campaigns.server));
    expect(got).toMatchObject({ offered: false, stoppedBy: 'taken', rule: { result: true } });
    expect(got.history.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['OfferMade', 'TransferCompleted', 'InstallReported']),
    );
  });

  it('is told to people as a tree', async () => {
    const [, full] = agents.server as [Agent, Agent];
    const text = await cli.text('device', 'why', full.deviceId, '--campaign', campaigns.server);
    expect(text).toMatch(/is not offered it: no-fit/);
    expect(text).toMatch(/✗ no-fit/);
    expect(text).toMatch(new RegExp(`✗ device.free >= ${least} +device.free is 5 \\[device `));
    expect(text).toMatch(new RegExp(`✓ device.model == "${model}"`));
    expect(text).toContain(`would match if device.free >= ${least} were true`);
  });
});

describe('a device that compares by itself', () => {
  it('says the same of itself, with its own values, in the same form', async () => {
    const [fits, full] = agents.device as [Agent, Agent];
    const said = await own(full, campaigns.device);
    expect(said).toMatchObject({ by: 'handset', deviceId: full.deviceId, position: null });
    expect(offerOf(said)).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    expect(offerOf(said).rule!.wouldMatchIf).toEqual([{ condition: `device.free >= ${least}`, is: false, to: true }]);
    const byServer = await why(agents.server[1]!, campaigns.server);
    expect(formOf(said)).toEqual(formOf(byServer));
    expect(formOf(said.offers)).toEqual(formOf(byServer.offers));
    expect(formOf(offerOf(said).gates)).toEqual(formOf(offerOf(byServer).gates));
    expect(formOf(offerOf(said).rule)).toEqual(formOf(offerOf(byServer).rule));
    await poll(fits);
    expect(offerOf(await own(fits, campaigns.device))).toMatchObject({
      offered: false,
      stoppedBy: 'taken',
      rule: { result: true },
    });
  });

  it('is to the server what it reported, and no value of it is known there', async () => {
    const [fits, full] = agents.device as [Agent, Agent];
    const declined = await eventually('the decline is there', async () => {
      const offer = offerOf(await why(full, campaigns.device));
      return offer.stoppedBy === 'no-fit' ? offer : undefined;
    });
    expect(declined.rule).toMatchObject({
      result: false,
      source: 'device',
      condition: { result: 'unknown', because: 'not-knowable' },
    });
    const got = offerOf(await why(fits, campaigns.device));
    expect(got).toMatchObject({ stoppedBy: 'taken', rule: { result: true, condition: { because: 'not-knowable' } } });
    const answers = JSON.stringify([await why(full, campaigns.device), await why(fits, campaigns.device)]);
    expect(answers).not.toContain('"values"');
    expect(findCanaries(Buffer.from(answers), [least + 1])).toEqual([]);
  });
});

describe('a moment of the past', () => {
  it('is answered as it was, whatever has come since', async () => {
    const [, full] = agents.server as [Agent, Agent];
    const { position } = await why(full, campaigns.server);
    const then = await why(full, campaigns.server, '--as-of', position!);
    expect(offerOf(then)).toMatchObject({ offered: false, stoppedBy: 'no-fit' });
    writeFileSync(full.options[3]!, JSON.stringify({ model, free: least + 9 }));
    await poll(full);
    await muster.ok('POST', `/v1/campaigns/${campaigns.server}/pause`, {
      headers: { 'if-match': '*' },
      body: { kind: 'soft', reason: 'a question' },
    });
    expect(offerOf(await why(full, campaigns.server))).toMatchObject({
      offered: false,
      stoppedBy: 'paused',
      rule: { result: true },
    });
    expect(await why(full, campaigns.server, '--as-of', position!)).toEqual(then);
    expect(offerOf(await why(full, campaigns.server, '--as-of', then.at))).toMatchObject({ stoppedBy: 'no-fit' });
  });
});

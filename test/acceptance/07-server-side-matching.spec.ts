import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCanaries, numberCanary, textCanary } from '../support/canary.js';
import { scanSegments, scanTables } from '../support/database-scan.js';
import { expectProblem, Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { brokerFolder, Handset, onKafka, proxyAuthority } from '../support/server.js';
import { type Watch, watch } from '../support/watched.js';

/*
 * System 7 through public doors only: the server and the agents are processes of their own, mutual TLS between them, and
 * between each agent and the server stands a proxy that keeps what passes.
 */

const KIB = 1024;
/** Values of selectors: none may be in an answer to a handset. */
const model = textCanary('MX-');
const least = numberCanary();
/** Rides in the answer, and what has to be fetched. */
const small = randomBytes(60 * KIB);
const large = randomBytes(200 * KIB);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

interface Agent {
  name: string;
  handset: Handset;
  deviceId: string;
  exchange: 'server' | 'both' | 'device';
  attributes: Record<string, string | number | boolean>;
  proxy: Watch;
}
type Traits = Pick<Agent, 'name' | 'exchange' | 'attributes'>;

let muster: Installation;
let authority: ReturnType<typeof proxyAuthority>;
const agents = new Map<string, Agent>();
const contents = { small: '', large: '', either: '' };
const campaigns = { server: '', either: '' };

/** What each tells or keeps to itself; `serial` fits nobody's rule and is only there to leak. */
const traits: Traits[] = [
  { name: 'fits', exchange: 'server', attributes: { model, free: least + 1, roaming: false, serial: textCanary() } },
  { name: 'both', exchange: 'both', attributes: { model, free: least + 2, roaming: false, serial: textCanary() } },
  { name: 'too-full', exchange: 'server', attributes: { model, free: 5, roaming: false, serial: textCanary() } },
  { name: 'unknown', exchange: 'server', attributes: { model, roaming: false, serial: textCanary() } },
  { name: 'silent', exchange: 'server', attributes: { model, free: least + 3, roaming: true, serial: textCanary() } },
  { name: 'private', exchange: 'device', attributes: { model, free: least + 4, roaming: false, serial: textCanary() } },
];

async function enrol({ name, exchange, attributes }: Traits): Promise<Agent> {
  const handset = new Handset(name, muster.folder.path, { MUSTER_TEST_CLOCK: muster.server.clockFile });
  const { code } = await muster.newCode();
  const server = `https://127.0.0.1:${muster.server.handsetPort}`;
  const said = await handset.text('enrol', server, '--ca', muster.caFingerprint, '--code', code);
  const { deviceId } = JSON.parse(said) as { deviceId: string };
  const proxy = await watch(handset, muster.server.handsetPort, authority);
  writeFileSync(path.join(handset.folder, 'attributes.json'), JSON.stringify(attributes));
  return { name, handset, deviceId, exchange, attributes, proxy };
}

const named = (name: string): Agent => agents.get(name)!;
const options = ({ handset, exchange }: Agent): string[] => [
  '--exchange',
  exchange,
  '--attributes',
  path.join(handset.folder, 'attributes.json'),
  '--reserve',
  '1024',
];
const poll = (agent: Agent) => agent.handset.text('poll', ...options(agent));
const fileOf = ({ handset }: Agent, contentId: string): string => path.join(handset.folder, 'contents', contentId);
const holds = (agent: Agent, contentId: string, bytes: Buffer): boolean => {
  const file = fileOf(agent, contentId);
  return existsSync(file) && sha256(readFileSync(file)) === sha256(bytes);
};
const asked = ({ proxy }: Agent, url: string) => proxy.exchanges.filter((exchange) => exchange.path.startsWith(url));
const factsOf = async ({ deviceId }: Agent): Promise<string[]> => {
  const at = `/v1/events?topic=muster.device&subject=${deviceId}&limit=200`;
  return (await muster.ok<{ items: { name: string }[] }>('GET', at)).items.map(({ name }) => name);
};

async function publish(bytes: Buffer, selector: string): Promise<string> {
  const uploadId = await muster.upload(bytes);
  const body = { uploadId, description: { name: 'wallet.bin', version: '2' }, selector };
  return (await muster.ok<{ contentId: string }>('POST', '/v1/contents', { body })).contentId;
}

beforeAll(async () => {
  muster = await Installation.start('acceptance-07');
  authority = proxyAuthority(muster.folder.path);
});

afterAll(async () => {
  await Promise.all([...agents.values()].map(({ proxy }) => proxy.close()));
  await muster?.stop();
});

describe('a campaign that the server matches', () => {
  it('is prepared and launched as any other', async () => {
    const types = { model: 'string', free: 'int', roaming: 'bool', serial: 'string' };
    const attributes = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }]));
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
    const rules = [
      { id: 'home', on: ['network'], when: '!device.roaming' },
      { id: 'hand', on: ['manual'] },
    ];
    await muster.ok('PUT', '/v1/rules/main', { body: { version: 2, rules } });
    contents.small = await publish(small, `device.model == "${model}"`);
    contents.large = await publish(large, 'true');
    contents.either = await publish(Buffer.from('either'), 'true');
    const selector = `device.free >= ${least}`;
    const server = { mode: 'server', selector };
    campaigns.server = await muster.draft([contents.small, contents.large], { ...server, priority: 900 });
    campaigns.either = await muster.draft([contents.either], { mode: 'either', selector });
    await muster.schedule(campaigns.server);
    await muster.schedule(campaigns.either);
    for (const each of traits) agents.set(each.name, await enrol(each));
  });

  it('brings what fits in one round trip, and by grant what is over 64 KiB', async () => {
    const agent = named('fits');
    await poll(agent);
    expect(holds(agent, contents.small, small)).toBe(true);
    expect(holds(agent, contents.large, large)).toBe(true);
    expect(holds(agent, contents.either, Buffer.from('either'))).toBe(true);
    expect(asked(agent, '/d/v1/availability')).toHaveLength(1);
    expect(asked(agent, '/d/v1/contents/').map(({ path: url }) => url)).toEqual([`/d/v1/contents/${contents.large}`]);
    expect(asked(agent, '/d/v1/requests')).toEqual([]);
    expect(await factsOf(agent)).toEqual(
      expect.arrayContaining(['HandsetDescribed', 'OfferMade', 'GrantIssued', 'TransferCompleted', 'InstallReported']),
    );
  });

  it('names what the handset holds already, and does not transmit it again', async () => {
    const agent = named('fits');
    await poll(agent);
    const { response } = asked(agent, '/d/v1/availability').at(-1)!;
    const body = JSON.parse(response.toString('utf8').split('\r\n\r\n')[1]!) as {
      contents: { contentId: string; transmitted?: object }[];
    };
    expect(body.contents.map(({ contentId }) => contentId).sort()).toEqual(Object.values(contents).sort());
    expect(body.contents.every(({ transmitted }) => transmitted === undefined)).toBe(true);
    const facts = await factsOf(agent);
    expect(facts.filter((name) => name === 'HandsetDescribed')).toHaveLength(1);
    expect(facts.filter((name) => name === 'OfferMade')).toHaveLength(3);
  });

  it.each(['too-full', 'unknown'])('brings nothing to whom it does not fit: %s', async (name) => {
    const agent = named(name);
    await poll(agent);
    for (const contentId of Object.values(contents)) expect(existsSync(fileOf(agent, contentId))).toBe(false);
    expect(asked(agent, '/d/v1/availability')).toHaveLength(1);
    expect(await factsOf(agent)).not.toContain('OfferMade');
  });

  it('brings an "either" campaign to the handset that compares by itself, and keeps the other from it', async () => {
    const agent = named('private');
    await poll(agent);
    expect(holds(agent, contents.either, Buffer.from('either'))).toBe(true);
    expect(existsSync(fileOf(agent, contents.small))).toBe(false);
    expect(asked(agent, '/d/v1/availability')).toEqual([]);
    await poll(named('both'));
    for (const contentId of Object.values(contents)) expect(existsSync(fileOf(named('both'), contentId))).toBe(true);
  });

  it('asks only where the stored rule is satisfied', async () => {
    for (const [name, wakes] of [
      ['fits', true],
      ['silent', false],
    ] as const) {
      const agent = named(name);
      const before = agent.proxy.exchanges.length;
      const daemon = agent.handset.start('run', ...options(agent));
      await agent.handset.text('event', 'network', '--data', '{"network":"wifi"}');
      if (wakes) await eventually('it asks', async () => asked(agent, '/d/v1/availability').length > 2 || undefined);
      else await new Promise((resolve) => setTimeout(resolve, 3_000));
      await daemon.stop();
      expect(agent.proxy.exchanges.length > before, name).toBe(wakes);
    }
  });

  it('shows the funnel', async () => {
    await eventually('all is reported', async () => {
      const { funnel } = await muster.ok<{ funnel: Record<string, number> }>(
        'GET',
        `/v1/campaigns/${campaigns.server}/progress`,
      );
      const { polled, matched, transferred, installed, confirmed } = funnel;
      // fits, both, too-full and unknown have asked
      return JSON.stringify([polled, matched, transferred, installed, confirmed]) === '[4,2,2,2,2]' || undefined;
    });
  });

  it('holds back by the gates, says when to come again, and records it once', async () => {
    const agent = named('both');
    const from = new Date(Date.now() + 2 * 3_600_000).toISOString().slice(11, 16);
    const to = new Date(Date.now() + 3 * 3_600_000).toISOString().slice(11, 16);
    const windows = [{ days: [1, 2, 3, 4, 5, 6, 7], from, to, zone: 'UTC' }];
    const later = await publish(randomBytes(KIB), 'true');
    await muster.schedule(await muster.draft([later], { mode: 'server', windows }));
    await poll(agent);
    await poll(agent);
    expect(existsSync(fileOf(agent, later))).toBe(false);
    const answer = asked(agent, '/d/v1/availability').at(-1)!.response.toString('latin1');
    const seconds = Number(/muster-interval[\r\n]+(\d+)/i.exec(answer)?.[1]);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(7_200);
    expect((await factsOf(agent)).filter((name) => name === 'OfferWithheld')).toHaveLength(1);
    muster.turnClock(2.5 * 3_600_000);
    await poll(agent);
    expect(existsSync(fileOf(agent, later))).toBe(true);
    muster.turnClock(0);
  });

  it('lets no selector into an answer', () => {
    const answers = [...agents.values()].flatMap(({ proxy, exchange }) =>
      exchange === 'server' ? proxy.exchanges.filter(({ path: url }) => url.startsWith('/d/')) : [],
    );
    expect(answers.length).toBeGreaterThan(5);
    expect(answers.flatMap(({ response }) => findCanaries(response, [model, least]))).toEqual([]);
    // It does tell what it means to find one: the request has the model.
    expect(findCanaries(asked(named('fits'), '/d/v1/availability')[0]!.request, [model])).toEqual([model]);
  });

  it('keeps what a device tells sealed, and nothing of one that compares by itself', async () => {
    const told = traits.map(({ attributes }) => String(attributes.serial));
    const { tables, found } = await scanTables(muster.server.data, told);
    expect(tables).toBeGreaterThan(20);
    expect(found).toEqual([]);
    expect(findCanaries(Buffer.from(muster.server.process.output()), told)).toEqual([]);
    if (onKafka()) expect(scanSegments(brokerFolder(muster.server.data), told).found).toEqual([]);
    const { items } = await muster.ok<{ items: { data: { attributes: { serial: string } } }[] }>(
      'GET',
      `/v1/events?topic=muster.device&type=HandsetDescribed&subject=${named('fits').deviceId}`,
    );
    expect(items.map(({ data }) => data.attributes.serial)).toEqual([named('fits').attributes.serial]);
    expect(asked(named('private'), '/').flatMap(({ request }) => findCanaries(request, [told[5]!]))).toEqual([]);
  });

  it('resumes what it was granted without telling again what it is, and nobody else', async () => {
    const more = await publish(randomBytes(100 * KIB), 'true');
    const campaignId = await muster.draft([more], { mode: 'server', selector: `device.free >= ${least}` });
    await muster.schedule(campaignId);
    const [device, stranger] = [await muster.enrol(), await muster.enrol()];
    const request = { body: { snapshotVersion: 1, requests: [{ contentId: more, campaignId }] } };
    const ask = async (who: typeof device) =>
      (await muster.handset('POST', '/d/v1/requests', { device: who, ...request })).body as { answers: object[] };
    expect((await ask(device)).answers).toEqual([{ contentId: more, campaignId, gate: 'not-offered' }]);
    const attributes = { free: least + 9 };
    await muster.handset('POST', '/d/v1/availability', { device, body: { attributes } });
    expect((await ask(device)).answers).toEqual([expect.objectContaining({ grant: expect.any(String) as string })]);
    expect((await ask(stranger)).answers).toEqual([{ contentId: more, campaignId, gate: 'not-offered' }]);
  });

  it.each(['server', 'device'] as const)(
    'brings again what has failed, when it is tried again: %s',
    async (exchange) => {
      const agent = await enrol({ name: `again-${exchange}`, exchange, attributes: { model: 'again', free: 1 } });
      agents.set(agent.name, agent);
      const contentId = await publish(randomBytes(KIB), 'device.model == "again"');
      const first = await muster.draft([contentId], { mode: exchange });
      await muster.schedule(first);
      const hook = path.join(agent.handset.folder, 'install.sh');
      writeFileSync(hook, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      const install = () => agent.handset.text('poll', ...options(agent), '--install', hook);
      const installs = async () => (await factsOf(agent)).filter((name) => name === 'InstallReported').length;
      await install();
      await install(); // what has failed is not taken again by the campaign that brought it
      expect(await installs()).toBe(1);
      const headers = { 'if-match': '*' };
      await muster.ok('POST', `/v1/campaigns/${first}/complete`, { headers, body: { reason: 'a better hook' } });
      const body = { outcomes: ['failed'] };
      const { campaignId: second } = await eventually('it can be tried again', async () => {
        const answer = await muster.people('POST', `/v1/campaigns/${first}/retry`, { headers, body });
        return answer.status === 201 ? (answer.body as { campaignId: string }) : undefined;
      });
      await muster.schedule(second);
      writeFileSync(hook, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
      await eventually('it is taken again', async () => {
        await install();
        return (await installs()) === 2 || undefined;
      });
    },
  );

  it.each<[string, object, string]>([
    ['an attribute that the schema does not know', { attributes: { colour: 'red' } }, '/attributes/colour'],
    ['an attribute of another type', { attributes: { free: 'much' } }, '/attributes/free'],
    ['attributes that are none', { attributes: 7 }, '/attributes'],
    ['a zone that is none', { attributes: {}, zone: '../../etc' }, '/zone'],
    ['ids that are none', { attributes: {}, except: ['x'] }, '/except'],
    ['too many ids', { attributes: {}, except: Array.from({ length: 1_001 }, () => contents.small) }, '/except'],
  ])('refuses %s, and records nothing', async (_, body, pointer) => {
    const device = await muster.enrol();
    const end = await muster.settledEnd();
    const answer = await muster.handset('POST', '/d/v1/availability', { device, body });
    expect([400, 422]).toContain(answer.status);
    const { errors = [] } = answer.body as { errors: { pointer: string }[] };
    expect(errors.map((error) => error.pointer).some((at) => at.startsWith(pointer))).toBe(true);
    await muster.expectNothingSince(end);
  });

  it('refuses a body over its limit, and a handset without a certificate', async () => {
    const body = { attributes: { model: 'm'.repeat(200_000) } };
    expectProblem(
      await muster.handset('POST', '/d/v1/availability', { device: await muster.enrol(), body }),
      413,
      'request.too-large',
    );
    expect((await muster.handset('POST', '/d/v1/availability', { body: { attributes: {} } })).status).toBe(401);
  });
});

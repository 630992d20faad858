import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#runtime/index.js';
import { type Agent } from './agent.js';
import { HandsetError } from './errors.js';
import { fileStore } from './file-store.js';
import { type DeviceIdentity } from './identity.js';
import { type Hooks, type Transport } from './ports.js';
import { CAMPAIGN, DEVICE, MusterSimulator, offer } from './simulator.js';
import { fakeClock } from './test-server.js';
import { httpsTransport } from './transport.js';
import { type AgentOptions, createAgent, enrolHandset } from './whole-agent.js';

const CONTENT = '01890a5d-ac96-774b-bcce-b302099a8003';
const SCHEMA = { version: 1, attributes: { model: { type: 'string' }, memory: { type: 'int' } } };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('agent', () => {
  let root: string;
  let muster: MusterSimulator;
  let agents: Agent[];
  const clock = fakeClock(Date.now());

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'agent-'));
    agents = [];
    muster = await MusterSimulator.start(clock.now());
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await muster.server.close();
    rmSync(root, { recursive: true });
  });

  const line = (code = 'main.code') => ({
    server: muster.server.origin,
    caFingerprint: muster.server.authority.fingerprint,
    code,
  });
  const start = (hooks: Hooks = {}, more: Partial<AgentOptions> = {}): Agent => {
    const options = { store: fileStore(root), hooks, clock, random: () => 0.5, log: silentLog, zone: 'UTC', ...more };
    const agent = createAgent(options);
    agents.push(agent);
    return agent;
  };
  const enrolled = async (hooks: Hooks = {}, more: Partial<AgentOptions> = {}): Promise<Agent> => {
    await enrolHandset(fileStore(root), line(), { clock, random: () => 1 });
    return start(hooks, more);
  };
  const publish = (bytes: Buffer, change: Parameters<typeof offer>[0] = {}, applications?: string[]) => {
    muster.offerContent(CONTENT, bytes, [offer(change)], applications === undefined ? {} : { applications });
    muster.publish();
  };
  /** An hour of the agent's clock in steps of half a minute, each as long as the agent has something to do. */
  const anHour = async (agent: Agent): Promise<void> => {
    const stop = new AbortController();
    const running = agent.run({ signal: stop.signal, maxSleepMs: 2 });
    for (let step = 0; step < 120; step++) {
      clock.advance(30_000);
      for (let seen = -1; seen !== muster.server.seen.length; ) {
        seen = muster.server.seen.length;
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    }
    stop.abort();
    await running;
  };
  const contentPath = () => join(root, 'contents', CONTENT);

  it('enrols by a pinned fingerprint, keeps its key to itself and polls with its certificate', async () => {
    const agent = await enrolled();
    const { key } = JSON.parse(readFileSync(join(root, 'identity.json'), 'utf8')) as { key: string };
    expect(key).toContain('PRIVATE KEY');
    expect(muster.heard.join()).not.toContain(key.slice(30, 90));
    expect(await agent.poll()).toMatchObject({ answer: 'changed' });
    expect(muster.polls).toEqual(['manual;v=1']);
  });

  it('refuses a server with another CA before it shows the code', async () => {
    const wrong = { ...line('main.secret'), caFingerprint: '00'.repeat(32) };
    await expect(enrolHandset(fileStore(root), wrong, { clock })).rejects.toMatchObject({ code: 'enrol.fingerprint' });
    expect(muster.heard.join()).not.toContain('main.secret');
    expect(existsSync(join(root, 'identity.json'))).toBe(false);
  });

  it('brings the server code of a refused enrolment, and keeps the key for the next attempt', async () => {
    const store = fileStore(root);
    const refusal = { code: 'server.refused', details: { status: 409, code: 'enrolment.code-used' } };
    await expect(enrolHandset(store, line('used'), { clock })).rejects.toMatchObject(refusal);
    const pending = readFileSync(join(root, 'pending-key.json'), 'utf8');
    await enrolHandset(store, line(), { clock });
    const { key } = JSON.parse(readFileSync(join(root, 'identity.json'), 'utf8')) as { key: string };
    expect((JSON.parse(pending) as { key: string }).key).toBe(key);
  });

  it('takes what fits, and tells each step once', async () => {
    const bytes = randomBytes(200_000);
    publish(bytes);
    const agent = await enrolled();
    await agent.poll();
    expect(sha256(readFileSync(contentPath()))).toBe(sha256(bytes));
    const steps = ['ContentMatched', 'TransferStarted', 'TransferCompleted', 'InstallReported', 'OutcomeConfirmed'];
    expect(muster.types()).toEqual(steps);
    await agent.poll();
    expect(muster.types()).toEqual(steps);
    expect(muster.requested).toHaveLength(1);
  });

  it('ends a poll at 304, without a body and without another request', async () => {
    publish(randomBytes(10));
    const agent = await enrolled();
    await agent.poll();
    const before = muster.server.seen.length;
    expect(await agent.poll()).toMatchObject({ answer: 'unchanged' });
    expect(muster.server.seen.slice(before)).toEqual(['GET /tuf/main/main/timestamp.json']);
  });

  it('runs the full workflow after a 304 when what is kept has expired', async () => {
    const agent = await enrolled();
    await agent.poll();
    clock.advance(25 * 3_600_000);
    expect(await agent.poll()).toMatchObject({ answer: 'failed', code: 'tuf.expired' });
    expect(muster.types()).toEqual(['CatalogueRefused']);
    clock.advance(3_600_000);
    await agent.poll();
    expect(muster.types()).toEqual(['CatalogueRefused']);
    expect(agent.status().refusal).toBe('tuf.expired');
  });

  it('refuses a rollback and installs nothing of it', async () => {
    const agent = await enrolled();
    muster.publish();
    await agent.poll();
    const { timestamp } = muster.repository.roles;
    timestamp.version = 1;
    muster.offerContent(CONTENT, randomBytes(9), [offer()]);
    muster.repository.rewrite('targets', 'snapshot', 'timestamp');
    expect(await agent.poll()).toMatchObject({ answer: 'failed', code: 'tuf.rollback' });
    expect(existsSync(contentPath())).toBe(false);
    expect(muster.types()).toEqual(['CatalogueRefused']);
  });

  describe('privacy', () => {
    it('sends ids and reasons, and no attribute value in any form', async () => {
      const canary = randomBytes(12).toString('hex');
      muster.publishSchema(SCHEMA);
      muster.offerContent(CONTENT, randomBytes(9), [offer({ selector: 'device.memory > 100' })]);
      const other = CONTENT.replace('8003', '8004');
      muster.offerContent(other, randomBytes(9), [offer({ selector: 'device.model.startsWith("nothing")' })]);
      muster.publish();
      const agent = await enrolled({
        collect: () => Promise.resolve({ model: canary, memory: '771199553377', nope: 1 }),
      });
      await agent.poll();
      expect(muster.requested).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN }]);
      expect(muster.declines).toEqual([{ contentId: other, campaignId: CAMPAIGN, reason: 'no-fit' }]);
      for (const value of [canary, '771199553377', Buffer.from(canary).toString('base64')])
        expect(muster.heard.join('\n')).not.toContain(value);
      expect((await agent.attributes()).refused).toEqual([{ name: 'nope', message: 'is not in the schema' }]);
    });

    it('explains every condition to its owner, with the leaf that decided', async () => {
      muster.publishSchema(SCHEMA);
      publish(randomBytes(9), { selector: 'device.memory > 100 && device.model == "a"', waveUpTo: 0 });
      const agent = await enrolled({ collect: () => Promise.resolve({ memory: 200 }) });
      await agent.poll();
      const [explained] = await agent.explain(CONTENT);
      expect(explained).toMatchObject({ campaignId: CAMPAIGN, by: 'handset', position: null });
      expect(await agent.explain('01890a5d-ac96-774b-bcce-b302099a8999')).toEqual([]);
      const [offered] = explained!.offers;
      expect(offered).toMatchObject({ contentId: CONTENT, offered: false, stoppedBy: 'wave' });
      expect(offered!.rule).toMatchObject({ result: 'unknown', because: 'missing', condition: { op: 'and' } });
      expect(offered!.rule!.condition!.parts).toMatchObject([
        { result: true, values: [{ attribute: 'device.memory', value: 200 }] },
        { result: 'unknown', because: 'missing', values: [{ attribute: 'device.model', value: null }] },
      ]);
      expect(muster.declines).toEqual([]);
    });
  });

  describe('triggers', () => {
    it('polls only when a stored rule is satisfied, by the handset’s own data', async () => {
      const rules = {
        version: 4,
        rules: [{ id: 'big', on: ['network'], when: 'device.memory > 100 && event.network == "wifi"' }],
      };
      muster.publishSchema(SCHEMA);
      muster.rules = rules;
      muster.publishRules(4, rules);
      muster.publish();
      let memory = 50;
      const agent = await enrolled({ collect: () => Promise.resolve({ memory }) });
      expect(await agent.occur('network', { network: 'wifi' })).toBeUndefined();
      memory = 500;
      expect(await agent.occur('network', { network: 'cellular' })).toBeUndefined();
      expect(await agent.occur('network', { network: 'wifi' })).toMatchObject({ rule: 'big', version: 4 });
      expect(agent.status().rules).toEqual({ version: 4, ids: ['big', 'floor'] });
    });

    it('takes new rules over from the catalogue, and keeps the old ones when the new are no rules', async () => {
      const agent = await enrolled();
      muster.publishRules(2, { version: 2, rules: [{ id: 'charging', on: ['charging'] }] });
      muster.publish();
      await agent.poll();
      expect(agent.status().rules).toEqual({ version: 2, ids: ['charging', 'floor'] });
      muster.publishRules(3, { version: 3, rules: [{ id: 'bad', on: ['charging'], when: 'device.unheard == 1' }] });
      muster.publish();
      expect(await agent.poll()).toMatchObject({ answer: 'changed' });
      expect(agent.status().rules.version).toBe(2);
      expect(start().status().rules.version).toBe(2);
    });

    it('runs: an event that fires a rule becomes a poll with its name', async () => {
      const agent = await enrolled();
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      await agent.occur('network', {});
      await expect.poll(() => muster.polls).toEqual(['on-network;v=1']);
      stop.abort();
      await running;
      expect(agent.status().lastPoll).toMatchObject({ rule: 'on-network', version: 1, answer: 'changed' });
    });

    it('polls once when a due poll waited behind one that was asked for by hand', async () => {
      const agent = await enrolled();
      const stop = new AbortController();
      const byHand = agent.poll();
      await agent.occur('network', {});
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      await byHand;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(muster.polls).toEqual(['manual;v=1']);
      stop.abort();
      await running;
    });

    it('does not poll again because what follows from the answer failed: it goes on with that', async () => {
      const agent = await enrolled();
      await agent.poll();
      publish(randomBytes(1_000));
      muster.failing = { path: '/d/v1/requests', status: 503 };
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      await agent.occur('network', {});
      await expect.poll(() => muster.failed).toBe(1);
      muster.failing = undefined;
      await expect
        .poll(() => {
          clock.advance(1_000);
          return existsSync(contentPath());
        })
        .toBe(true);
      expect(muster.polls).toEqual(['manual;v=1', 'on-network;v=1']);
      stop.abort();
      await running;
    });

    it('polls by the floor when nothing has for 24 hours', async () => {
      const agent = await enrolled();
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(muster.polls).toEqual([]);
      muster.repository.roles.timestamp.expires += 10 * 86_400_000;
      muster.publish();
      clock.advance(24 * 3_600_000 + 1);
      await expect.poll(() => muster.polls).toEqual(['floor;v=1']);
      stop.abort();
      await running;
    });

    it.each(['running', 'started again'])(
      'polls when a clock that was 400 days ahead is set right, %s',
      async (how) => {
        const ahead = await enrolled();
        clock.advance(400 * 86_400_000);
        expect(await ahead.poll()).toMatchObject({ answer: 'failed', code: 'tuf.expired' });
        clock.advance(-400 * 86_400_000);
        const agent = how === 'running' ? ahead : start();
        const stop = new AbortController();
        const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
        await expect.poll(() => agent.status().due?.at).toBeLessThanOrEqual(clock.now());
        clock.advance(60_000); // the back-off of the one failure
        await expect.poll(() => agent.status().lastPoll).toMatchObject({ answer: 'changed' });
        stop.abort();
        await running;
      },
    );

    it('polls by the period of a timer rule, whatever the server’s interval', async () => {
      muster.rules = {
        version: 1,
        rules: [
          { id: 'often', on: ['timer'], minInterval: 30 },
          { id: 'sometimes', on: ['timer'] },
        ],
      };
      const agent = await enrolled();
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      clock.advance(30_000);
      await expect.poll(() => muster.polls).toEqual(['often;v=1']);
      await expect.poll(() => agent.status().nextTimer).toBe(new Date(clock.now() + 30_000).toISOString());
      clock.advance(30_000);
      await expect.poll(() => muster.polls).toEqual(['often;v=1', 'often;v=1']);
      stop.abort();
      await running;
    });

    it('is woken by the server’s interval for a timer rule without a period', async () => {
      muster.rules = { version: 1, rules: [{ id: 'sometimes', on: ['timer'] }] };
      const agent = await enrolled();
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      clock.advance(599_000);
      await new Promise((resolve) => setTimeout(resolve, 80));
      expect(muster.polls).toEqual([]);
      clock.advance(1_001);
      await expect.poll(() => muster.polls).toEqual(['sometimes;v=1']);
      stop.abort();
      await running;
    });

    it.each([
      ['earthquake', {}, 'event.unknown'],
      ['network', { network: 7 }, 'attributes.malformed'],
    ])('refuses the event %s %j with %s', async (on, data, code) => {
      const agent = await enrolled();
      await expect(Promise.resolve().then(() => agent.occur(on, data))).rejects.toMatchObject({ code });
    });
  });

  describe('when the server cannot', () => {
    it('leaves it alone for Retry-After, and polls again by itself', async () => {
      const agent = await enrolled();
      muster.failure = { status: 503, headers: { 'retry-after': '120' } };
      expect(await agent.poll()).toMatchObject({ answer: 'failed', code: 'server.busy' });
      expect(agent.status().notBefore).toBe(new Date(clock.now() + 120_000 + 30_000).toISOString());
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      muster.failure = undefined;
      clock.advance(149_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(muster.polls).toEqual([]);
      clock.advance(1_001);
      await expect.poll(() => muster.polls).toEqual(['manual;v=1']);
      stop.abort();
      await running;
    });

    it('backs off further with each failure', async () => {
      const agent = await enrolled();
      muster.failure = { status: 500 };
      const waits: number[] = [];
      for (let i = 0; i < 4; i++) {
        await agent.poll();
        waits.push(Date.parse(agent.status().notBefore!) - clock.now());
      }
      expect(waits).toEqual([30_000, 300_000, 300_000, 300_000]); // no longer than the server’s 600 s
    });

    it('backs off further when polls are answered, and the news of the inbox cannot be had', async () => {
      const agent = await enrolled();
      muster.failing = { path: '/d/v1/inbox', status: 500 };
      const waits: number[] = [];
      for (let i = 0; i < 3; i++) {
        await agent.poll();
        waits.push(Date.parse(agent.status().notBefore!) - clock.now());
      }
      expect(waits).toEqual([30_000, 300_000, 300_000]);
    });

    it('waits for the next poll when its identity is refused behind an answered one', async () => {
      const agent = await enrolled();
      await agent.poll();
      publish(randomBytes(10), { selector: 'false' });
      muster.failing = { path: '/d/v1/declines', status: 401 };
      await agent.poll();
      await anHour(agent);
      expect(muster.failed).toBeLessThanOrEqual(2); // behind the poll, and once more at the start
      await agent.poll();
      expect(muster.failed).toBeLessThanOrEqual(3);
    });

    it('goes on less and less often with what the server refuses, and anew when it does not', async () => {
      const agent = await enrolled();
      await agent.poll();
      publish(randomBytes(10));
      muster.failing = { path: '/d/v1/requests', status: 500 };
      await agent.poll();
      await anHour(agent);
      expect(muster.failed).toBeGreaterThan(5);
      expect(muster.failed).toBeLessThanOrEqual(15);
      muster.failing = undefined;
      await agent.poll();
      expect(existsSync(contentPath())).toBe(true);
      publish(randomBytes(11));
      muster.offerContent(CONTENT.replace('8003', '8004'), randomBytes(9), [offer()]);
      muster.publish();
      muster.failing = { path: '/d/v1/requests', status: 500 };
      expect(await agent.poll()).toMatchObject({ followUpAt: clock.now() + 1_000 + 8_000 });
    });

    it('goes on less and less often with a transfer whose server is away', async () => {
      publish(randomBytes(300_000));
      muster.misbehaviours = [{ kind: 'torn', afterBytes: 100_000 }];
      let tries = 0;
      const connect = ({ server, serverCa, certificate, key }: DeviceIdentity): Transport => {
        const { send, close } = httpsTransport({ origin: server, ca: serverCa, certificate, key });
        const away = () => Promise.reject(new HandsetError('transport.unreachable'));
        const isAway = (url: string) => url.startsWith('/d/v1/contents/') && (tries += 1) > 1;
        return { close, send: (request) => (isAway(request.url) ? away() : send(request)) };
      };
      const agent = await enrolled({}, { connect });
      await agent.poll();
      await anHour(agent);
      expect(tries).toBeGreaterThan(5);
      expect(tries).toBeLessThanOrEqual(16);
    });

    it('sends neither inbox nor facts to a server that put a transfer off', async () => {
      const agent = await enrolled();
      await agent.poll();
      publish(randomBytes(10));
      muster.misbehaviours = [{ kind: 'status', status: 503, headers: { 'retry-after': '120' } }];
      const at = clock.now() + 120_000 + 8_000;
      expect(await agent.poll()).toMatchObject({ answer: 'failed', followUpAt: at });
      expect(muster.server.seen.at(-1)).toBe(`GET /d/v1/contents/${CONTENT}`);
      expect(agent.status().notBefore).toBe(new Date(at).toISOString());
    });

    it('asks nothing of a server that put its renewal off', async () => {
      const day = 86_400_000;
      muster.certificate = { notBefore: new Date(Date.now() - 61 * day), notAfter: new Date(Date.now() + 29 * day) };
      const agent = await enrolled();
      muster.failing = { path: '/enrol/v1/renew', status: 503, headers: { 'retry-after': '120' } };
      expect(await agent.poll()).toMatchObject({ answer: 'failed', code: 'server.busy' });
      expect(muster.polls).toEqual([]);
      expect(agent.status().notBefore).toBe(new Date(clock.now() + 120_000 + 30_000).toISOString());
    });

    it('keeps facts while the server is away, and sends them in order afterwards', async () => {
      publish(randomBytes(1_000));
      const agent = await enrolled();
      await agent.occur('network', {});
      muster.failure = { status: 500 };
      await agent.poll();
      expect(agent.status().factsWaiting).toBe(1);
      await agent.close();
      muster.failure = undefined;
      await start().poll();
      expect(muster.facts.map(({ seq }) => seq.n)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(muster.types()[0]).toBe('TriggerFired');
    });
  });

  describe('transfer', () => {
    const bytes = randomBytes(300_000);
    beforeEach(() => publish(bytes));
    const isWhole = () => sha256(readFileSync(contentPath())) === sha256(bytes);
    const again = async (agent: Agent) => {
      await agent.close();
      return start().poll();
    };

    it.each(['reset', 'torn'] as const)('resumes after a %s where it was, also in a new process', async (kind) => {
      muster.misbehaviours = [{ kind, afterBytes: 100_000 }];
      const agent = await enrolled();
      await agent.poll();
      expect(existsSync(contentPath())).toBe(false);
      await again(agent);
      expect(isWhole()).toBe(true);
      expect(muster.types()).toContain('TransferResumed');
      const resumed = muster.facts.find(({ type }) => type === 'TransferResumed')!.data as { fromByte: number };
      expect(resumed.fromByte).toBeGreaterThan(0);
      expect(resumed.fromByte).toBeLessThanOrEqual(100_000);
    });

    it('begins anew when the server ignores the range, or has other bytes by now', async () => {
      muster.misbehaviours = [{ kind: 'torn', afterBytes: 100_000 }, { kind: 'ignores-range' }];
      const agent = await enrolled();
      await agent.poll();
      await again(agent);
      expect(isWhole()).toBe(true);
      expect(muster.types()).not.toContain('TransferResumed');
    });

    it('begins anew when the ETag has changed', async () => {
      muster.misbehaviours = [{ kind: 'torn', afterBytes: 100_000 }];
      const agent = await enrolled();
      await agent.poll();
      muster.changeEtag(CONTENT);
      await again(agent);
      expect(isWhole()).toBe(true);
      expect(muster.types()).not.toContain('TransferResumed');
    });

    it('declines other bytes of the right length with digest, and keeps nothing of them', async () => {
      muster.misbehaviours = [{ kind: 'other-bytes' }];
      const agent = await enrolled();
      await agent.poll();
      expect(muster.declines).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN, reason: 'digest' }]);
      expect(existsSync(contentPath())).toBe(false);
      expect(existsSync(join(root, 'partial', CONTENT))).toBe(false);
      expect(muster.types()).not.toContain('InstallReported');
    });

    it('stops endless data at the signed length', async () => {
      muster.misbehaviours = [{ kind: 'endless' }];
      await (await enrolled()).poll();
      expect(existsSync(contentPath())).toBe(false);
      expect(existsSync(join(root, 'partial', CONTENT))).toBe(false);
    });

    it('gives a slow server up, keeps the part, and hears local events meanwhile', async () => {
      muster.misbehaviours = [{ kind: 'stalls', afterBytes: 50_000 }];
      const connect = ({ server, serverCa, certificate, key }: DeviceIdentity) =>
        httpsTransport({ origin: server, ca: serverCa, certificate, key, pace: { windowMs: 700 } });
      const agent = await enrolled({}, { connect });
      const polling = agent.poll();
      await expect.poll(() => existsSync(join(root, 'partial', CONTENT))).toBe(true);
      expect(await agent.occur('network', {})).toMatchObject({ rule: 'on-network' });
      expect(muster.misbehaviours).toEqual([]);
      expect(await polling).toMatchObject({ answer: 'changed' });
      expect(statSync(join(root, 'partial', CONTENT)).size).toBe(50_000);
      expect(agent.status().due).toMatchObject({ rule: 'on-network' });
      await again(agent);
      expect(isWhole()).toBe(true);
      expect(muster.facts.find(({ type }) => type === 'TransferResumed')?.data.fromByte).toBe(50_000);
    });

    it('asks again for an expired grant and goes on', async () => {
      muster.expiredGrants = 1;
      await (await enrolled()).poll();
      expect(isWhole()).toBe(true);
      expect(muster.requested).toHaveLength(2);
    });

    it('refuses a grant that was made for another device, and shows it to nobody', async () => {
      muster.grantedTo = DEVICE.replace('8001', '9999');
      await (await enrolled()).poll();
      expect(muster.server.seen).not.toContain(`GET /d/v1/contents/${CONTENT}`);
      expect(existsSync(contentPath())).toBe(false);
    });

    it('asks once when an interrupted transfer finds its campaign paused, then waits for the next poll', async () => {
      muster.misbehaviours = [{ kind: 'torn', afterBytes: 100_000 }];
      const agent = await enrolled();
      expect((await agent.poll()).followUpAt).toBeDefined();
      muster.gate = { gate: 'paused' };
      expect((await agent.poll()).followUpAt).toBeUndefined();
      muster.gate = undefined;
      await agent.poll();
      expect(isWhole()).toBe(true);
    });

    it('comes back when a campaign starts, spread over a minute', async () => {
      const start = clock.now() + 100_000;
      publish(bytes, { start: new Date(start).toISOString() });
      const wakes = [0, 0.999].map(async (part) => {
        const root = mkdtempSync(join(tmpdir(), 'agent-'));
        await enrolHandset(fileStore(root), line(), { clock, random: () => 1 });
        const agent = createAgent({ store: fileStore(root), clock, random: () => part, log: silentLog, zone: 'UTC' });
        const { followUpAt } = await agent.poll();
        await agent.close();
        rmSync(root, { recursive: true });
        return followUpAt! - start;
      });
      expect(await Promise.all(wakes)).toEqual([0, 59_940]);
    });

    it('goes on soon with a transfer that gets on each time', async () => {
      muster.misbehaviours = Array.from({ length: 4 }, () => ({ kind: 'torn', afterBytes: 50_000 }));
      const agent = await enrolled();
      for (let tries = 1; tries <= 4; tries++)
        expect(await agent.poll()).toMatchObject({ followUpAt: clock.now() + 1_000 + 8_000 });
    });

    it('comes back when a gate said when, spread over a minute', async () => {
      muster.gate = { gate: 'cap', retryAfterSeconds: 30 };
      const agent = await enrolled();
      expect(await agent.poll()).toMatchObject({ followUpAt: clock.now() + 30_000 + 30_000 });
      muster.gate = undefined;
      const stop = new AbortController();
      const running = agent.run({ signal: stop.signal, maxSleepMs: 20 });
      clock.advance(60_001);
      await expect.poll(() => muster.types()).toContain('OutcomeConfirmed');
      stop.abort();
      await running;
      expect(muster.polls).toHaveLength(1);
    });
  });

  describe('gates and hooks', () => {
    const bytes = randomBytes(50_000);
    it.each([
      ['charging', { battery: 10, charging: false }, 'battery'],
      ['network', { metered: true }, 'metered'],
    ])('holds back before the first byte after %s %j: %s', async (on, data, reason) => {
      publish(bytes);
      const agent = await enrolled();
      await agent.occur(on, data);
      await agent.poll();
      expect(muster.declines).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN, reason }]);
      expect(muster.requested).toEqual([]);
      await agent.occur(on, { battery: 90, charging: true, metered: false });
      await agent.poll();
      expect(existsSync(contentPath())).toBe(true);
    });

    it('declines no-space when the content would not fit beside the reserve', async () => {
      publish(bytes);
      await (await enrolled({}, { gates: { reserveBytes: 2 ** 60 } })).poll();
      expect(muster.declines).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN, reason: 'no-space' }]);
    });

    it.each<[string, Hooks]>([
      ['choose', { choose: () => Promise.resolve([]) }],
      ['mayStart', { mayStart: () => Promise.resolve(false) }],
      ['a mayStart that fails', { mayStart: () => Promise.reject(new Error('dialog crashed')) }],
    ])('declines user when %s says no', async (_, hooks) => {
      publish(bytes);
      await (await enrolled(hooks)).poll({ rule: 'on-network', version: 1 });
      expect(muster.declines).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN, reason: 'user' }]);
      expect(muster.requested).toEqual([]);
    });

    it('installs at most once, and reports an installation that died as failed', async () => {
      publish(bytes);
      let runs = 0;
      const hooks: Hooks = { install: () => ((runs += 1), new Promise(() => undefined)) };
      const dying = await enrolled(hooks);
      void dying.poll();
      await expect.poll(() => runs).toBe(1);
      agents = []; // as kill -9 would leave it: nothing is closed
      const next = start({ install: () => Promise.resolve(void (runs += 1)) });
      await next.poll();
      expect(runs).toBe(1);
      const report = muster.facts.find(({ type }) => type === 'InstallReported');
      expect(report?.data).toMatchObject({ outcome: 'failed', code: 'install.interrupted' });
      expect(muster.types()).not.toContain('OutcomeConfirmed');
    });

    it('reports a failed installation and declines the offer', async () => {
      publish(bytes);
      await (await enrolled({ install: () => Promise.reject(new Error('no')) })).poll();
      expect(muster.types()).toContain('InstallReported');
      expect(muster.declines).toEqual([{ contentId: CONTENT, campaignId: CAMPAIGN, reason: 'install-failed' }]);
      expect(existsSync(contentPath())).toBe(false);
    });
  });

  it('processes application after application, and confirms after the last', async () => {
    publish(randomBytes(100), {}, ['first', 'second']);
    const processed: string[] = [];
    const order = (application: string, at: number, id: string) =>
      ({ id, kind: 'process', contentId: CONTENT, campaignId: CAMPAIGN, application, order: at }) as const;
    const agent = await enrolled({ process: (application) => Promise.resolve(void processed.push(application)) });
    muster.inbox = [order('first', 0, 'i1')];
    await agent.poll();
    expect(processed).toEqual(['first']);
    expect(muster.types()).not.toContain('OutcomeConfirmed');
    muster.inbox = [order('first', 0, 'i1'), order('second', 1, 'i2')];
    await agent.poll();
    expect(processed).toEqual(['first', 'second']);
    const acknowledged = muster.facts
      .filter(({ type }) => type === 'ProcessingAcknowledged')
      .map(({ data }) => data.inboxId);
    expect(acknowledged).toEqual(['i1', 'i2']);
    expect(muster.types().at(-1)).toBe('OutcomeConfirmed');
  });

  it('forgets a transfer that the inbox cancels', async () => {
    publish(randomBytes(100_000));
    muster.misbehaviours = [
      { kind: 'torn', afterBytes: 1_000 },
      { kind: 'torn', afterBytes: 1_000 },
    ];
    const agent = await enrolled();
    await agent.poll();
    muster.gate = { gate: 'withdrawn' };
    await agent.poll();
    expect(agent.status().contents).toEqual({});
    expect(existsSync(join(root, 'partial', CONTENT))).toBe(false);
  });

  it('renews its certificate when a third of its lifetime is left, under a new key', async () => {
    const day = 86_400_000;
    const now = Date.now();
    muster.certificate = { notBefore: new Date(now - 61 * day), notAfter: new Date(now + 29 * day) };
    const agent = await enrolled();
    const keyOf = () => (JSON.parse(readFileSync(join(root, 'identity.json'), 'utf8')) as { key: string }).key;
    const before = keyOf();
    expect(agent.status().isRenewalDue).toBe(true);
    muster.certificate = { notBefore: new Date(now - day), notAfter: new Date(now + 89 * day) };
    expect(await agent.poll()).toMatchObject({ answer: 'changed' });
    expect(muster.server.seen).toContain('POST /enrol/v1/renew');
    expect(keyOf()).not.toBe(before);
    expect(agent.status().isRenewalDue).toBe(false);
  });

  it('begins a lost queue at numbers that were never used', async () => {
    publish(randomBytes(10));
    await enrolled();
    chmodSync(join(root, 'facts.log'), 0o600);
    writeFileSync(join(root, 'facts.log'), '\0\0');
    await start().poll();
    expect(muster.facts[0]!.seq.epoch).toBe(1);
    expect(muster.facts[0]!.seq.n).toBeGreaterThanOrEqual(clock.now() - 60_000);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CAMPAIGN, MusterSimulator, offer } from '#handset/testing.js';

const CONTENT = '01890a5d-ac96-774b-bcce-b302099a8003';
const CLI = new URL('cli.ts', import.meta.url).pathname;
const RUN_SOURCE = new URL('../test/run-source.mjs', import.meta.url).pathname;

describe('muster-handset', () => {
  let root: string;
  let folder: string;
  let muster: MusterSimulator;
  let children: ChildProcess[];
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'cli-'));
    folder = join(root, 'handset');
    children = [];
    muster = await MusterSimulator.start();
  });
  afterEach(async () => {
    await Promise.all(children.filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null).map(kill));
    await muster.server.close();
    rmSync(root, { recursive: true });
  });

  const start = (...args: string[]): ChildProcess => {
    const env = { PATH: process.env.PATH, MUSTER_HANDSET_DATA: folder, SECRET_TOKEN: 'canary-in-environment' };
    const child = spawn(process.execPath, [RUN_SOURCE, CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  };
  const run = async (...args: string[]) => {
    const child = start(...args);
    const [out, error] = [collect(child.stdout), collect(child.stderr)];
    const code = await new Promise((done) => child.on('close', done));
    return { code, out: out(), error: error() };
  };
  const enrol = () => {
    const { origin, authority } = muster.server;
    return run('enrol', origin, '--ca', authority.fingerprint, '--code', 'main.code');
  };
  const isHeld = (bytes: Buffer) => {
    const path = join(folder, 'contents', CONTENT);
    return existsSync(path) && digest(readFileSync(path)) === digest(bytes);
  };

  it('enrols, polls and tells its status', async () => {
    expect(await enrol()).toMatchObject({ code: 0 });
    expect(await run('poll')).toMatchObject({ code: 0, out: expect.stringContaining('"changed"') as string });
    const status = await run('status');
    expect(JSON.parse(status.out)).toMatchObject({ tenant: 'main', failures: 0, rules: { version: 1 } });
    expect(statSync(join(folder, 'identity.json')).mode & 0o777).toBe(0o600);
  });

  it.each([
    [['poll'], 1, 'enrol.missing'],
    [['event', 'network', '--data', '[1]'], 1, 'event.malformed'],
    [['event'], 2, 'missing required argument'],
    [['nonsense'], 2, 'unknown command'],
  ])('answers %j with exit code %i: %s', async (args, code, said) => {
    const answer = await run(...args);
    expect(answer.code).toBe(code);
    expect(answer.error).toContain(said);
    expect(answer.out).toBe('');
  });

  it('runs as a daemon that local events reach, and goes on after kill -9 in mid-transfer', async () => {
    const bytes = randomBytes(3_000_000);
    muster.offerContent(CONTENT, bytes, [offer()]);
    muster.publish();
    muster.misbehaviours = [{ kind: 'stalls', afterBytes: 1_000_000 }];
    await enrol();
    const daemon = start('run');
    await expect.poll(() => existsSync(join(folder, 'agent.sock')), { timeout: 15_000 }).toBe(true);
    const told = await run('event', 'network', '--data', '{"network":"wifi"}');
    expect(JSON.parse(told.out)).toMatchObject({ fired: { rule: 'on-network', version: 1 } });
    const part = join(folder, 'partial', CONTENT);
    await expect.poll(() => existsSync(part) && statSync(part).size, { timeout: 10_000 }).toBeGreaterThan(500_000);
    await kill(daemon);
    expect(isHeld(bytes)).toBe(false);
    start('run');
    await expect.poll(() => isHeld(bytes), { timeout: 15_000 }).toBe(true);
    await expect.poll(() => muster.types(), { timeout: 10_000 }).toContain('OutcomeConfirmed');
    const resumed = muster.facts.find(({ type }) => type === 'TransferResumed');
    expect(resumed?.data.fromByte).toBeGreaterThan(500_000);
    expect(muster.polls).toEqual(['on-network;v=1']);
    const numbers = muster.facts.map(({ seq }) => seq.n);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  }, 60_000);

  it('spools an event while no agent runs, and takes it at the next start', async () => {
    await enrol();
    expect(JSON.parse((await run('event', 'network')).out)).toEqual({ spooled: true });
    start('run');
    await expect.poll(() => muster.polls, { timeout: 15_000 }).toEqual(['on-network;v=1']);
  });

  it('lets commands wait for one another instead of failing', async () => {
    await enrol();
    const answers = await Promise.all([run('poll'), run('poll'), run('status')]);
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(muster.polls).toHaveLength(2);
  });

  it('refuses a second agent on the same folder with store.locked', async () => {
    await enrol();
    start('run');
    await expect.poll(() => existsSync(join(folder, 'agent.sock')), { timeout: 15_000 }).toBe(true);
    const second = await run('run');
    expect(second).toMatchObject({ code: 1, error: expect.stringContaining('store.locked') as string });
  });

  it('runs the install hook with file and description, and without our environment', async () => {
    const bytes = randomBytes(2_000);
    muster.offerContent(CONTENT, bytes, [offer()], { version: '7.1' });
    muster.publish();
    const hook = join(root, 'install.sh');
    writeFileSync(hook, `#!/bin/sh\nenv > ${root}/env\ncp "$1" ${root}/installed\ncp "$2" ${root}/description.json\n`, {
      mode: 0o755,
    });
    await enrol();
    expect(await run('poll', '--install', hook)).toMatchObject({ code: 0 });
    expect(digest(readFileSync(join(root, 'installed')))).toBe(digest(bytes));
    expect(readFileSync(join(root, 'description.json'), 'utf8')).toContain('"version":"7.1"');
    const environment = readFileSync(join(root, 'env'), 'utf8');
    expect(environment).not.toContain('canary-in-environment');
    expect(environment).toContain('PATH=');
    expect(muster.types()).toContain('OutcomeConfirmed');
  });

  it('ends a fleet by SIGTERM in the middle of its enrolment, as at any other time', async () => {
    muster.failure = { status: 503, headers: { 'retry-after': '60' } };
    const codes = join(root, 'codes.csv');
    writeFileSync(codes, 'code\nmain.code\n');
    const { origin, authority } = muster.server;
    const fleet = start('fleet', origin, '--ca', authority.fingerprint, '--codes', codes);
    const [out, error] = [collect(fleet.stdout), collect(fleet.stderr)];
    await expect.poll(() => muster.server.seen.length, { timeout: 15_000 }).toBeGreaterThan(0);
    const ended = new Promise((done) => fleet.on('close', done));
    fleet.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(error()).toBe('');
    expect(out()).toMatch(/"enrolled":0[^]*"summary":/);
  });

  it('explains offers from attributes in a file, which stay here', async () => {
    muster.publishSchema({ version: 1, attributes: { model: { type: 'string' } } });
    muster.offerContent(CONTENT, randomBytes(9), [offer({ selector: 'device.model.startsWith("Z")' })]);
    muster.publish();
    const attributes = join(root, 'attributes.json');
    writeFileSync(attributes, '{"model":"q7-canary-model"}');
    await enrol();
    await run('poll', '--attributes', attributes);
    const { out } = await run('explain', CAMPAIGN, '--attributes', attributes);
    expect(JSON.parse(out)).toMatchObject([
      { campaignId: CAMPAIGN, by: 'handset', offers: [{ contentId: CONTENT, offered: false, stoppedBy: 'no-fit' }] },
    ]);
    expect(muster.heard.join('\n')).not.toContain('q7-canary-model');
  });
});

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

function kill(child: ChildProcess): Promise<unknown> {
  const gone = new Promise((done) => child.on('exit', done));
  child.kill('SIGKILL');
  return gone;
}

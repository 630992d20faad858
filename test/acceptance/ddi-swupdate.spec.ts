import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, sha256 } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { throttlingProxy } from '../support/proxies.js';
import { hasSwupdate, Signer, Swupdate, type SwupdateOptions } from '../support/swupdate.js';

/*
 * Clients that exist: Debian's swupdate, unchanged and over TLS, against the hawkBit device API; and what managers see of it.
 */

let muster: Installation;
let signer: Signer;
let n = 0;

interface Device {
  id: string;
  controllerId: string;
  targetToken: string;
  swupdate: Swupdate;
}

/** A device that a manager makes known. */
async function device(options: Partial<SwupdateOptions> = {}): Promise<Device> {
  const controllerId = `gate-${(n += 1)}`;
  const { id, targetToken } = await muster.ok<{ id: string; targetToken: string }>('POST', '/v1/devices', {
    body: { controllerId },
  });
  const client = swupdate(controllerId, { targettoken: muster.secret(targetToken) }, options);
  return { id, controllerId, targetToken, swupdate: client };
}

const swupdate = (
  id: string,
  credential: SwupdateOptions['credential'],
  options: Partial<SwupdateOptions> = {},
): Swupdate =>
  new Swupdate({
    folder: path.join(muster.folder.path, `swupdate-${id}`),
    url: `https://127.0.0.1:${muster.server.handsetPort}`,
    tenant: 'main',
    id,
    ca: muster.ca,
    credential,
    signer,
    identify: { model: `m-${id}`, hwRevision: '2' },
    ...options,
  });

/** A content with a signed image that puts these bytes on the device, for it alone, and its campaign. */
async function campaignFor(
  { swupdate: client, controllerId }: Pick<Device, 'swupdate' | 'controllerId'>,
  bytes: Buffer,
  settings: object = {},
) {
  const image = signer.image(bytes, client.target);
  const uploadId = await muster.upload(image);
  const description = { name: 'update.swu', version: '1.0' };
  const selector = `device.model == "m-${controllerId}"`;
  const body = { uploadId, description, selector };
  const { contentId } = await muster.ok<{ contentId: string }>('POST', '/v1/contents', { body });
  const campaignId = await muster.draft([contentId], { mode: 'server', ...settings });
  await muster.schedule(campaignId);
  return { contentId, campaignId, sha256: sha256(image) };
}

/** What the device is, told and asked for by the test in its place. */
async function pollInPlaceOf({ controllerId, targetToken }: Device): Promise<string[]> {
  const headers = { authorization: `TargetToken ${targetToken}` };
  const root = `/main/controller/v1/${controllerId}`;
  await muster.handset('PUT', `${root}/configData`, { headers, body: { data: { model: `m-${controllerId}` } } });
  const { body } = await muster.handset('GET', root, { headers });
  return Object.keys((body as { _links?: object })._links ?? {});
}
const act = (campaignId: string, verb: string, body: object) =>
  muster.ok('POST', `/v1/campaigns/${campaignId}/${verb}`, { body, headers: { 'if-match': '*' } });

interface Progress {
  funnel: Record<string, number>;
}
const funnel = async (campaignId: string): Promise<Record<string, number>> =>
  (await muster.ok<Progress>('GET', `/v1/campaigns/${campaignId}/progress`)).funnel;
const factsOf = async (deviceId: string): Promise<string[]> => {
  const at = `/v1/events?topic=muster.device&subject=${deviceId}&limit=200`;
  return (await muster.ok<{ items: { name: string }[] }>('GET', at)).items.map(({ name }) => name);
};

const comesTo = (campaignId: string, step: string) =>
  eventually(
    `it is ${step}`,
    async () => {
      // On Kafka a view may not know a campaign yet that was made just now.
      const { status, body } = await muster.people('GET', `/v1/campaigns/${campaignId}/progress`);
      return (status === 200 && (body as Progress).funnel[step] === 1) || undefined;
    },
    60_000,
  );
const has = (deviceId: string, fact: string) =>
  eventually(fact, async () => (await factsOf(deviceId)).includes(fact) || undefined, 60_000);

const isHere = hasSwupdate();

describe.runIf(isHere)('a real swupdate', () => {
  beforeAll(async () => {
    muster = await Installation.start('ddi-swupdate', { MUSTER_POLL_INTERVAL_SECONDS: '10' });
    chmodSync(muster.folder.path, 0o755);
    signer = new Signer(path.join(muster.folder.path, 'signer'));
    // A session idles out with the hours that the clock is turned by; a token does not.
    const roles = ['author', 'operator', 'admin', 'analyst', 'viewer'];
    const body = { name: 'test', roles };
    muster.admin = muster.secret((await muster.ok<{ token: string }>('POST', '/v1/tokens', { body })).token);
    const attributes = { model: { type: 'string' }, hwRevision: { type: 'int' } };
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  });
  afterAll(() => muster?.stop());

  it('tells what it is, downloads, installs a signed image, and confirms it after a restart', async () => {
    const gate = await device();
    const bytes = randomBytes(5_000);
    const { campaignId } = await campaignFor(gate, bytes);
    const first = gate.swupdate.start();
    await comesTo(campaignId, 'installed');
    await first.stop();
    expect(gate.swupdate.installed).toEqual(bytes);
    expect(await funnel(campaignId)).toMatchObject({ transferred: 1, installed: 1, confirmed: 0 });
    const second = gate.swupdate.start({ confirms: true });
    await comesTo(campaignId, 'confirmed');
    await second.stop();
    expect(await factsOf(gate.id)).toEqual([
      'HandsetDescribed',
      'OfferMade',
      'GrantIssued',
      'ContentRequested',
      'TransferStarted',
      'TransferCompleted',
      'InstallReported',
      'OutcomeConfirmed',
    ]);
  });

  it('is enrolled at its first contact by a gateway token', async () => {
    const body = { gatewayDays: 30 };
    const { code } = await muster.ok<{ code: string }>('POST', '/v1/enrolment-codes', { body });
    const controllerId = `gate-${(n += 1)}`;
    const client = swupdate(controllerId, { gatewaytoken: muster.secret(code) });
    const bytes = randomBytes(100);
    const { campaignId } = await campaignFor({ controllerId, swupdate: client }, bytes);
    const running = client.start();
    await comesTo(campaignId, 'installed');
    await running.stop();
    expect(client.installed).toEqual(bytes);
    const { items } = await muster.ok<{ items: { label: string }[] }>('GET', '/v1/devices');
    expect(items.map(({ label }) => label)).toContain(controllerId);
  });

  it('acknowledges a cancel', async () => {
    const gate = await device();
    const { campaignId } = await campaignFor(gate, randomBytes(100));
    expect(await pollInPlaceOf(gate)).toContain('deploymentBase');
    await act(campaignId, 'abort', { disposition: 'recall', reason: 'wrong build' });
    const running = gate.swupdate.start();
    await has(gate.id, 'OfferWithheld');
    await running.stop();
    expect(running.output()).toMatch(/cancel/i);
    expect(gate.swupdate.installed).toBeUndefined();
    expect(await pollInPlaceOf(gate)).not.toContain('cancelAction');
  });

  it('resumes a transfer that was cut', async () => {
    const link = await throttlingProxy(muster.server.handsetPort, () => 150_000);
    try {
      const gate = await device({ url: `https://127.0.0.1:${link.port}` });
      const bytes = randomBytes(600_000);
      const { campaignId } = await campaignFor(gate, bytes);
      const running = gate.swupdate.start();
      await has(gate.id, 'TransferStarted');
      await new Promise((resolve) => setTimeout(resolve, 1_500)); // some of it has come through
      link.cut();
      await has(gate.id, 'TransferResumed');
      await comesTo(campaignId, 'installed');
      await running.stop();
      expect(gate.swupdate.installed).toEqual(bytes);
      const facts = await factsOf(gate.id);
      expect(facts.filter((name) => name === 'TransferCompleted')).toHaveLength(1);
    } finally {
      await link.close();
    }
  });

  it('reports bytes that are not those of their digest as a failure', async () => {
    const gate = await device();
    const { campaignId, sha256: digest } = await campaignFor(gate, randomBytes(1_000));
    const file = path.join(muster.server.data, 'contents', digest.slice(0, 2), digest);
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    bad[bad.length - 1]! ^= 1; // of what fills up the last block: the image itself is as it was signed
    writeFileSync(file, bad);
    const running = gate.swupdate.start();
    await has(gate.id, 'InstallReported');
    await running.stop();
    writeFileSync(file, good);
    const { dropped } = await muster.ok<{ dropped: object[] }>('GET', `/v1/campaigns/${campaignId}/progress`);
    expect(dropped).toEqual([expect.objectContaining({ kind: 'failed', reason: 'install-failed' })]);
    expect(await factsOf(gate.id)).not.toContain('OutcomeConfirmed');
  });

  it('gets nothing of a paused campaign, and confirms what it has of one that is paused meanwhile', async () => {
    const gate = await device();
    const { campaignId } = await campaignFor(gate, randomBytes(100));
    await act(campaignId, 'pause', { kind: 'soft', reason: 'look' });
    const first = gate.swupdate.start();
    await has(gate.id, 'OfferWithheld');
    expect(gate.swupdate.installed).toBeUndefined();
    await act(campaignId, 'resume', { reason: 'go' });
    await comesTo(campaignId, 'installed');
    await first.stop();
    await act(campaignId, 'pause', { kind: 'hard', reason: 'look' });
    const second = gate.swupdate.start({ confirms: true });
    await comesTo(campaignId, 'confirmed');
    await second.stop();
  });

  it('waits for the window, and takes a closed one for no success', async () => {
    const at = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
    const windows = [{ days: [1, 2, 3, 4, 5, 6, 7], from: at(2), to: at(3), zone: 'UTC' }];
    const gate = await device();
    const { campaignId } = await campaignFor(gate, randomBytes(100), { windows });
    const running = gate.swupdate.start();
    await has(gate.id, 'OfferWithheld');
    expect(await factsOf(gate.id)).not.toContain('InstallReported');
    muster.turnClock(2.5 * 3_600_000);
    await comesTo(campaignId, 'installed');
    await running.stop();
    expect(running.output()).not.toContain('Skipped Update');
  });

  it('left nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});

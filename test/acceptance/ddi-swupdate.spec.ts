import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { hasSwupdate, Signer, Swupdate, type SwupdateOptions } from '../support/swupdate.js';

/*
 * Clients that exist: Debian's swupdate, unchanged and over TLS, against the hawkBit device API; and what managers see of it.
 */

let muster: Installation;
let signer: Signer;
let n = 0;

interface Device {
  id: string;
  swupdate: Swupdate;
}

/** A device that a manager makes known. */
async function device(options: Partial<SwupdateOptions> = {}): Promise<Device> {
  const controllerId = `gate-${(n += 1)}`;
  const { id, targetToken } = await muster.ok<{ id: string; targetToken: string }>('POST', '/v1/devices', {
    body: { controllerId },
  });
  return { id, swupdate: swupdate(controllerId, { targettoken: muster.secret(targetToken) }, options) };
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
async function campaignFor({ swupdate: client }: Device, bytes: Buffer, settings: object = {}) {
  const model = /m-gate-\d+/.exec(JSON.stringify(client))![0];
  const uploadId = await muster.upload(signer.image(bytes, client.target));
  const description = { name: 'update.swu', version: '1.0' };
  const selector = `device.model == "${model}"`;
  const body = { uploadId, description, selector };
  const { contentId } = await muster.ok<{ contentId: string }>('POST', '/v1/contents', { body });
  const campaignId = await muster.draft([contentId], { mode: 'server', ...settings });
  await muster.schedule(campaignId);
  return { contentId, campaignId };
}

const funnel = async (campaignId: string): Promise<Record<string, number>> =>
  (await muster.ok<{ funnel: Record<string, number> }>('GET', `/v1/campaigns/${campaignId}/progress`)).funnel;
const factsOf = async (deviceId: string): Promise<string[]> => {
  const at = `/v1/events?topic=muster.device&subject=${deviceId}&limit=200`;
  return (await muster.ok<{ items: { name: string }[] }>('GET', at)).items.map(({ name }) => name);
};

const isHere = hasSwupdate();

describe.runIf(isHere)('a real swupdate', () => {
  beforeAll(async () => {
    muster = await Installation.start('ddi-swupdate', { MUSTER_POLL_INTERVAL_SECONDS: '10' });
    chmodSync(muster.folder.path, 0o755);
    signer = new Signer(path.join(muster.folder.path, 'signer'));
    const attributes = { model: { type: 'string' }, hwRevision: { type: 'int' } };
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  });
  afterAll(() => muster?.stop());

  it('tells what it is, downloads, installs a signed image, and confirms it after a restart', async () => {
    const gate = await device();
    const bytes = randomBytes(5_000);
    const { campaignId } = await campaignFor(gate, bytes);
    const first = gate.swupdate.start();
    await eventually('it is installed', async () => (await funnel(campaignId)).installed === 1 || undefined, 60_000);
    await first.stop();
    expect(gate.swupdate.installed).toEqual(bytes);
    expect(await funnel(campaignId)).toMatchObject({ transferred: 1, installed: 1, confirmed: 0 });
    const second = gate.swupdate.start({ confirms: true });
    await eventually('it is confirmed', async () => (await funnel(campaignId)).confirmed === 1 || undefined, 60_000);
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
});

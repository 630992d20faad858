import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textCanary } from '../support/canary.js';
import { scanTables } from '../support/database-scan.js';
import { type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { Cli } from '../support/server.js';

/* What the server keeps of a device is compared together with what the device tells, by whose word counts. */

interface Known {
  attributes: { name: string; value: unknown; source: string; at: string }[];
}

let muster: Installation;
let device: Enrolled;
let contents: { gold: string; model: string };
const tariff = 'gold';
/** In no rule, and only there to leak. */
const note = textCanary();

const urlOf = ({ deviceId }: Enrolled): string => `/v1/devices/${deviceId}/attributes`;
const keep = (attributes: object) => muster.ok<Known>('PUT', urlOf(device), { body: { attributes } });
const told = async (attributes: object): Promise<string[]> => {
  const answer = await muster.handset('POST', '/d/v1/availability', { device, body: { attributes } });
  const { contents: found } = expectStatus(answer, 200).body as { contents: { contentId: string }[] };
  return found.map(({ contentId }) => contentId);
};

async function offer(selector: string): Promise<string> {
  const contentId = await muster.publish(randomBytes(100));
  await muster.schedule(await muster.draft([contentId], { mode: 'server', selector }));
  return contentId;
}

beforeAll(async () => {
  muster = await Installation.start('kept-attributes');
  const attributes = {
    model: { type: 'string' },
    free: { type: 'int' },
    note: { type: 'string' },
    tariff: { type: 'string', prefers: 'kept', personal: true },
  };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  device = await muster.enrol();
  contents = { gold: await offer(`device.tariff == "${tariff}"`), model: await offer('device.model == "m1"') };
});
afterAll(() => muster.stop());

describe('what is kept of a device', () => {
  it('is compared where the device tells nothing, and from its next request on', async () => {
    expect(await told({ free: 7 })).toEqual([]);
    const { attributes } = await keep({ tariff, model: 'm1' });
    expect(attributes).toEqual([
      { name: 'model', value: 'm1', source: 'kept', at: expect.any(String) as string },
      { name: 'tariff', value: tariff, source: 'kept', at: expect.any(String) as string },
    ]);
    expect((await told({ free: 7 })).sort()).toEqual([contents.gold, contents.model].sort());
  });

  it('gives way to what the device tells, unless the schema prefers what is kept', async () => {
    expect(await told({ model: 'm2', tariff: 'silver' })).toEqual([contents.gold]);
  });

  it('is merged, removed by null, and recorded once, sealed', async () => {
    await keep({ tariff });
    await keep({ model: null, note });
    expect(await muster.ok<Known>('GET', urlOf(device))).toMatchObject({
      attributes: [{ name: 'note' }, { name: 'tariff' }],
    });
    const events = await muster.ok<{ items: { data: { changes: object } }[] }>(
      'GET',
      `/v1/events?topic=muster.handset&subject=${device.deviceId}&type=AttributesKept`,
    );
    expect(events.items.map(({ data }) => data.changes)).toEqual([
      { tariff, model: 'm1' },
      { model: null, note },
    ]);
    expect((await scanTables(muster.server.data, [note])).found).toEqual([]);
    expect(muster.server.process.output()).not.toContain(note);
  });

  it('is shown and kept by the command line', async () => {
    const cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
    const said = await cli.json('device', 'attributes', device.deviceId, 'free=12', 'note=');
    const free = { name: 'free', value: 12, source: 'kept' };
    expect(said).toMatchObject({ attributes: [free, { name: 'tariff' }] });
  });

  it.each([
    ['a value of another type', { free: 'much' }, 'attributes.malformed', '/attributes/free'],
    ['a name that the schema has not', { colour: 'red' }, 'attributes.malformed', '/attributes/colour'],
    ['the removal of such a name', { colour: null }, 'attributes.malformed', '/attributes/colour'],
  ])('is refused for %s, and nothing changes', async (_, attributes, code, pointer) => {
    const end = await muster.settledEnd();
    const answer = await muster.people('PUT', urlOf(device), { body: { attributes } });
    expectProblem(answer, 400, code, pointer);
    await muster.expectNothingSince(end);
  });

  it('is of devices that there are', async () => {
    const nowhere = '/v1/devices/01890a5d-ac96-774b-bcce-b302099a8057/attributes';
    expectProblem(await muster.people('PUT', nowhere, { body: { attributes: {} } }), 404, 'device.unknown');
    expectProblem(
      await muster.people('PUT', urlOf(device), { body: { attributes: 7 } }),
      400,
      'validation.failed',
      '/attributes',
    );
  });

  it('is gone when the device is forgotten', async () => {
    await keep({ tariff });
    await muster.ok('POST', `/v1/devices/${device.deviceId}/forget`, { body: { reason: 'asked' } });
    expect(await muster.ok<Known>('GET', urlOf(device))).toMatchObject({ attributes: [] });
  });
});

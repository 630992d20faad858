import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '#event-log/index.js';
import type { Databases } from '#event-log/nest/event-log.module.js';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import type { TenantBoard } from '../board.js';
import { noCampaign } from '../campaign.js';
import { type Caps, LEASE_MS, NO_CAPS } from '../caps.js';
import type { CampaignSettings } from '../events.js';
import { Leases } from './leases.js';
import { CreateCampaign1767200000000 } from './migrations/create-campaign.js';
import { LeaseGrants1767200000003 } from './migrations/lease-grants.js';

const MIB = 1_048_576;
const tenant = 'acme';
const contentId = newId();

let database: TestDatabase;
/** Two instances of the service on one database. */
let instances: Leases[];
let tables: Database;
let now: number;
let board: TenantBoard;

beforeAll(async () => {
  database = await testDatabase([CreateCampaign1767200000000, LeaseGrants1767200000003]);
  const clock = { now: () => now };
  instances = [1, 2].map(() => new Leases({ actor: database.database('muster_campaign', 8) } as Databases, clock));
  tables = database.database('muster_campaign');
});
afterAll(() => database.drop());
beforeEach(async () => {
  now = Date.parse('2026-11-30T12:00:00.000Z');
  board = { contents: new Map(), campaigns: new Map(), caps: NO_CAPS } as unknown as TenantBoard;
  board.contents.set(contentId, { published: { sizeBytes: MIB } as never, withdrawn: false });
  await tables.inTenant(tenant, async (tx) => {
    await tx.query('delete from ops.granted');
    await tx.query('delete from ops.cap_usage');
  });
});

function campaign(settings: Partial<CampaignSettings> = {}): string {
  const campaignId = newId();
  const whole = { caps: NO_CAPS, conflictGroup: null, ...settings } as CampaignSettings;
  board.campaigns.set(campaignId, { ...noCampaign, status: 'running', settings: whole });
  return campaignId;
}
const caps = (change: Partial<Caps>): Partial<CampaignSettings> => ({ caps: { ...NO_CAPS, ...change } });
const device = () => ({ tenant, deviceId: newId() });
const take = async (campaignId: string, by = device(), instance = 0): Promise<string> =>
  (await instances[instance]!.take(board, by, { contentId, campaignId }, now))?.gate ?? 'taken';
const stamp = (): string => new Date(now).toISOString();
const later = (ms: number): void => {
  now += ms;
};

describe('leases', () => {
  it('are never more than the cap, however many ask of however many instances', async () => {
    const campaignId = campaign(caps({ transfers: 5 }));
    const asked = await Promise.all(Array.from({ length: 40 }, (_, i) => take(campaignId, device(), i % 2)));
    expect(asked.filter((answer) => answer === 'taken')).toHaveLength(5);
    expect(asked.filter((answer) => answer === 'cap')).toHaveLength(35);
  });

  it('end with their transfer, with the device’s last word, and by themselves', async () => {
    const campaignId = campaign(caps({ transfers: 1 }));
    const offer = { contentId, campaignId };
    const [first, second, third] = [device(), device(), device()];
    await take(campaignId, first);
    expect(await take(campaignId, second)).toBe('cap');
    await instances[0]!.transferred(first, offer, stamp());
    expect(await take(campaignId, second)).toBe('taken');
    await instances[0]!.end(second, offer, stamp());
    expect(await take(campaignId, third)).toBe('taken');
    later(LEASE_MS - 1);
    expect(await take(campaignId)).toBe('cap');
    later(1);
    expect(await take(campaignId)).toBe('taken');
  });

  it('are renewed by who has one, while bytes are sent, and cost nothing then', async () => {
    const campaignId = campaign(caps({ transfers: 1, bytesPerDay: MIB }));
    const first = device();
    await take(campaignId, first);
    later(LEASE_MS - 1);
    expect(await take(campaignId, first)).toBe('taken');
    later(LEASE_MS - 1);
    await instances[1]!.renew(first, { contentId, campaignId });
    later(LEASE_MS - 1);
    expect(await take(campaignId)).toBe('cap');
  });

  it('spend credit that all instances share, and earn it with time', async () => {
    const campaignId = campaign(caps({ bytesPerSecond: MIB / 60 })); // a burst of one content
    expect(await take(campaignId)).toBe('taken');
    expect(await take(campaignId, device(), 1)).toBe('cap');
    later(2_000);
    expect(await take(campaignId, device(), 1)).toBe('taken'); // paid for by those behind it
    later(30_000);
    expect(await take(campaignId)).toBe('cap');
    later(31_000);
    expect(await take(campaignId)).toBe('taken');
  });

  it('count the day of the campaign, and all campaigns together', async () => {
    const [one, other] = [campaign(caps({ bytesPerDay: 2 * MIB })), campaign()];
    board.caps = { ...NO_CAPS, bytesPerDay: 3 * MIB };
    expect(await take(one)).toBe('taken');
    expect(await take(one)).toBe('taken');
    expect(await take(one)).toBe('cap');
    expect(await take(other)).toBe('taken');
    expect(await take(other)).toBe('cap');
    later(12 * 3_600_000);
    expect(await take(one)).toBe('taken');
  });

  it('spend nothing when another cap holds', async () => {
    const campaignId = campaign(caps({ bytesPerDay: 2 * MIB }));
    board.caps = { ...NO_CAPS, transfers: 0 }; // none, ever
    expect(await take(campaignId)).toBe('cap');
    board.caps = NO_CAPS;
    expect(await take(campaignId)).toBe('taken');
    expect(await take(campaignId)).toBe('taken');
  });

  it('of one group are on a device one at a time, until it is done or a day has passed', async () => {
    const [one, other] = [campaign({ conflictGroup: 'radio' }), campaign({ conflictGroup: 'radio' })];
    const mine = device();
    expect(await take(one, mine)).toBe('taken');
    expect(await take(other, mine)).toBe('conflict');
    expect(await take(other)).toBe('taken'); // another device
    await instances[0]!.transferred(mine, { contentId, campaignId: one }, stamp());
    later(23 * 3_600_000);
    expect(await take(other, mine)).toBe('conflict');
    later(2 * 3_600_000);
    expect(await take(other, mine)).toBe('taken');
    await instances[0]!.end(mine, { contentId, campaignId: other }, stamp());
    expect(await take(one, mine)).toBe('taken');
  });

  it('of one group are in nobody’s way once their campaign is over', async () => {
    const [one, other] = [campaign({ conflictGroup: 'g' }), campaign({ conflictGroup: 'g' })];
    const mine = device();
    await take(one, mine);
    expect(await take(other, mine)).toBe('conflict');
    board.campaigns.set(one, { ...board.campaigns.get(one)!, status: 'aborted' });
    expect(await take(other, mine)).toBe('taken');
  });

  it('do not end by what was said of an earlier one', async () => {
    const campaignId = campaign(caps({ transfers: 1 }));
    const mine = device();
    const before = stamp();
    later(60_000);
    await take(campaignId, mine);
    await instances[0]!.transferred(mine, { contentId, campaignId }, before);
    expect(await take(campaignId)).toBe('cap');
  });

  it('cost a device that asks over and over once a day', async () => {
    const campaignId = campaign(caps({ bytesPerDay: 2 * MIB }));
    const greedy = device();
    for (let round = 0; round < 5; round += 1) {
      expect(await take(campaignId, greedy)).toBe('taken');
      await instances[0]!.transferred(greedy, { contentId, campaignId }, stamp());
    }
    expect(await take(campaignId)).toBe('taken');
    expect(await take(campaignId)).toBe('cap');
  });

  it('of one device that asks for both at once are still one', async () => {
    const pairs = Array.from({ length: 10 }, async () => {
      const [one, other] = [campaign({ conflictGroup: 'g' }), campaign({ conflictGroup: 'g' })];
      const mine = device();
      return (await Promise.all([take(one, mine, 0), take(other, mine, 1)])).toSorted();
    });
    for (const pair of await Promise.all(pairs)) expect(pair).toEqual(['conflict', 'taken']);
  });

  it('are on the record of who was granted, with a cap or without', async () => {
    const [capped, free] = [campaign(caps({ transfers: 9 })), campaign()];
    const mine = device();
    for (const campaignId of [capped, free]) {
      expect(await instances[1]!.wasTaken(mine, { contentId, campaignId })).toBe(false);
      await take(campaignId, mine);
      expect(await instances[1]!.wasTaken(mine, { contentId, campaignId })).toBe(true);
    }
  });
});

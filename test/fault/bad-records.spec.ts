import { afterAll, beforeAll, describe, it } from 'vitest';
import { FaultyInstallation } from '../support/faulty.js';
import { eventually } from '../support/processes.js';

/*
 * F24: records that nobody can read, put into the tables by hand, as a superuser, past everything that refuses them. Types
 * and versions of a later release are passed over; what is broken parks its stream.
 */

let muster: FaultyInstallation;
let contentId = '';

beforeAll(async () => {
  muster = await FaultyInstallation.start('bad-records');
  contentId = await muster.publish(Buffer.from('content'));
});
afterAll(() => muster?.stop({ isSound: false })); // its log was spoilt on purpose

interface Line {
  name: string;
  state: string;
  parked: number;
  lagEvents: number;
}
const projections = async () => (await muster.ok<{ items: Line[] }>('GET', '/v1/projections')).items;

/** Copies a draft as another record of a stream of its own, with what a test changes of it. */
const insertLike = (campaignId: string, as: { id: string; type?: string; data?: string }) =>
  muster.sql(
    `with source as (
       select * from log.record where topic = 'muster.campaign' and stream = 'main/' || $1 and ver = 1),
     moved as (
       update log.head h set next_off = next_off + 1 from source s
       where h.topic = s.topic and h.part = s.part returning h.next_off - 1 as off)
     insert into log.record
     select topic, part, moved.off, tenant, 'main/' || $2, 1, coalesce($3, type), gen_random_uuid(), occurred_at, received_at,
       actor, $2, correlation_id, causation_id, traceparent, null, null, null, coalesce($4::json, data)
     from source, moved`,
    [campaignId, as.id, as.type, as.data],
  );

describe('records that cannot be applied', () => {
  it.each([
    ['unknown-version', { type: 'muster.campaign.campaign-drafted.v9' }],
    ['unknown-type', { type: 'muster.campaign.campaign-dreamt.v1' }],
    ['without-its-fields', { data: '{"nothing":1}' }],
    ['no-object', { data: '[]' }],
  ])('F24, %s: only its stream waits, all others go on, and the server serves', async (name, change) => {
    const before = await muster.draft([contentId], { name: `before ${name}` });
    await muster.expectCaughtUp();
    await insertLike(before, { id: `poison-${name}`, ...change });
    const after = await muster.draft([contentId], { name: `after ${name}` });
    await muster.schedule(after);
    const all = await eventually('the read models have passed it', async () => {
      const lines = await projections();
      return lines.every(({ lagEvents, state }) => lagEvents === 0 && state !== 'stopped') ? lines : undefined;
    });
    await eventually('what came after is there', async () => {
      const { items } = await muster.ok<{ items: { campaignId: string }[] }>('GET', '/v1/campaigns?limit=100');
      return items.some(({ campaignId }) => campaignId === after) || undefined;
    });
    await eventually('the campaign runs', async () => {
      const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${after}`);
      return status === 'running' || undefined;
    });
    console.log(`F24 ${name}: streams parked ${Math.max(...all.map(({ parked }) => parked))}`);
  });
});

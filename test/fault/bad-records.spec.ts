import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#event-log/index.js';
import { FaultyInstallation } from '../support/faulty.js';
import { eventually } from '../support/processes.js';

/*
 * F24: records that nobody can read, put into the tables by hand, as a superuser, past everything that refuses them. A type
 * of a later release is passed by; what is broken, or of a later version, parks its stream, and process managers stand
 * still before it. Whatever happens is told with topic, partition and offset.
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

interface Place {
  topic: string;
  partition: number;
  offset: number;
}

/** Copies a draft as another record of a stream of its own, with what a test changes of it. @returns where it is */
const insertLike = async (campaignId: string, as: { id: string; type?: string; data?: string }): Promise<Place> => {
  const [place] = await muster.sql<Place>(
    `with source as (
       select * from log.record where topic = 'muster.campaign' and stream = 'main/' || $1 and ver = 1),
     moved as (
       update log.head h set next_off = next_off + 1 from source s
       where h.topic = s.topic and h.part = s.part returning h.next_off - 1 as off)
     insert into log.record
     select topic, part, moved.off, tenant, 'main/' || $2, 1, coalesce($3, type), gen_random_uuid(), occurred_at, received_at,
       actor, $2, correlation_id, causation_id, traceparent, null, null, null, coalesce($4::json, data)
     from source, moved returning topic, part as partition, off::int as offset`,
    [campaignId, as.id, as.type, as.data],
  );
  return place!;
};

/** What the server has said of a place. */
const saidOf = ({ topic, partition, offset }: Place): string[] =>
  muster.server.process
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Place & { event: string })
    .filter((line) => line.topic === topic && line.partition === partition && line.offset === offset)
    .map(({ event }) => event);

const standing = new Set<number>();
/** A draft in a partition where nothing bad is yet: behind that, nothing would be told of what comes. */
async function draftInGoodOrder(name: string): Promise<string> {
  for (;;) {
    const campaignId = await muster.draft([contentId], { name });
    const partition = partitionOf(`main/${campaignId}`);
    if (standing.has(partition)) continue;
    standing.add(partition);
    return campaignId;
  }
}

const PARKS = ['projection.parked', 'follow-up.stands'];

describe('records that cannot be applied', () => {
  it.each([
    ['unknown-version', { type: 'muster.campaign.campaign-drafted.v9' }, PARKS],
    ['unknown-type', { type: 'muster.campaign.campaign-dreamt.v1' }, ['projection.passed-by']],
    ['without-its-fields', { data: '{"nothing":1}' }, ['projection.parked']],
    ['no-object', { data: '[]' }, PARKS],
  ])('F24, %s: only its stream waits, all others go on, and the server serves', async (name, change, said) => {
    const before = await draftInGoodOrder(`before ${name}`);
    await muster.expectCaughtUp();
    const place = await insertLike(before, { id: `poison-${name}`, ...change });
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
    await eventually(`the server has said ${said.join(' and ')}`, async () =>
      said.every((event) => saidOf(place).includes(event)) ? true : undefined,
    );
    const { items } = await muster.ok<{ items: { subject: string }[] }>(
      'GET',
      '/v1/events?topic=muster.campaign&limit=100',
    );
    expect(items.map(({ subject }) => subject)).toEqual(expect.arrayContaining([`poison-${name}`, after]));
    console.log(`F24 ${name}: streams parked ${Math.max(...all.map(({ parked }) => parked))}`);
  });
});

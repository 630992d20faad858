import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventLog, type EventRecord, type Position, TOPICS, type Topic } from '#event-log/index.js';
import { scan } from './merge.js';
import { TestLog } from './testing.js';

/** The reading side of the port over records in memory. */
const readerOf = (records: readonly EventRecord[]): EventLog => {
  const of = (topic: Topic, partition: number) =>
    records.filter((record) => record.topic === topic && record.partition === partition);
  return {
    heads: async (topics: readonly Topic[] = TOPICS) => {
      const heads: Record<string, number> = {};
      for (const { topic, partition, offset } of records)
        if (topics.includes(topic)) heads[`${topic}/${partition}`] = offset + 1;
      return heads;
    },
    readTolerantly: async (topic: Topic, partition: number, from: number, limit: number, tenant?: string) =>
      of(topic, partition)
        .filter((record) => record.offset >= from && (tenant === undefined || record.tenant === tenant))
        .slice(0, limit),
  } as Partial<EventLog> as EventLog;
};

async function pages(log: EventLog, limit: number, tenant = 'acme'): Promise<EventRecord[][]> {
  const found: EventRecord[][] = [];
  for (let from: Position = {}, isAtEnd = false; !isAtEnd; ) {
    const page = await scan(log, { tenant, topics: TOPICS, from, limit, wanted: () => true });
    found.push(page.records);
    ({ position: from, isAtEnd } = page);
  }
  return found;
}

const started = { type: 'CampaignStarted', data: { campaignId: 'k' } } as const;

describe('a scan of the log', () => {
  it('brings every record of the tenant once, in the order in which they came, however long the pages are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ topic: fc.constantFrom(...TOPICS), partition: fc.nat(3) }), { maxLength: 80 }),
        fc.integer({ min: 1, max: 9 }),
        async (places, limit) => {
          const log = new TestLog();
          for (const { topic, partition } of places) log.add(topic, 's', started, partition);
          const found = await pages(readerOf(log.records), limit);
          expect(found.flat().map(({ id }) => id)).toEqual(log.records.map(({ id }) => id));
        },
      ),
    ));

  it('goes over the records of other tenants', async () => {
    const log = new TestLog('globex');
    for (let n = 0; n < 200; n += 1) log.add('muster.campaign', 's', started);
    const own = { ...log.add('muster.campaign', 's', started), tenant: 'acme' };
    const reader = readerOf([...log.records.slice(0, -1), own]);
    expect((await pages(reader, 10)).flat()).toEqual([own]);
  });

  it('leaves what is not wanted out, and does not come back to it', async () => {
    const log = new TestLog();
    for (let n = 0; n < 5; n += 1) log.add('muster.campaign', 's', started);
    const reader = readerOf(log.records);
    const first = await scan(reader, {
      tenant: 'acme',
      topics: TOPICS,
      from: {},
      limit: 1,
      wanted: ({ offset }) => offset === 3,
    });
    expect([first.records.length, first.position]).toEqual([1, { 'muster.campaign/0': 4 }]);
  });
});

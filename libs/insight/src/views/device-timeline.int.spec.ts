import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '#event-log/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { CreateInsight1767300000000 } from '../nest/migrations/create-insight.js';
import { build, contents, enrolled, interleave, pollsRecorded, story, TestLog } from '../testing.js';
import { deviceTimeline } from './device-timeline.js';
import { LINE_ORDER, linesSql } from './lines.js';

const OFFER = { campaignId: 'k1', contentId: 'c1' };

interface Line {
  device_id: string;
  event: string;
  text: string;
  code: string | null;
  label: string | null;
}

describe('device timeline', () => {
  let database: TestDatabase;
  let projector: Database;
  let insight: Database;
  let builds = 0;
  const run = async (log: TestLog, tenant = log.tenant) => {
    const schema = `build_${(builds += 1)}`;
    await build(projector, schema, deviceTimeline, [log.records]);
    return insight.inTenant(tenant, async (tx) => {
      await tx.query(`set local search_path = ${schema}`);
      return tx.query<Line>(`select * from (${linesSql()}) l order by ${LINE_ORDER}`);
    });
  };

  beforeAll(async () => {
    database = await testDatabase([CreateInsight1767300000000]);
    projector = database.database('muster_projector');
    insight = database.database('muster_insight');
  });
  afterAll(() => database.drop());

  it('tells what happened in words, with its code, in order', async () => {
    const log = new TestLog();
    log.add('muster.handset', 'd1', enrolled('d1', 1, 'Ann'));
    log.add('muster.device', 'd1', {
      type: 'TriggerFired',
      data: { rule: 'roaming', version: 3, on: 'country-changed' },
    });
    log.add('muster.device', 'd1', { type: 'OfferWithheld', data: { ...OFFER, gate: 'window' } });
    log.add('muster.device', 'd1', { type: 'TransferResumed', data: { ...OFFER, fromByte: 512 } });
    const lines = await run(log);
    expect(lines.map(({ text, code, label }) => [text, code, label])).toEqual([
      ['enrolled as number 1 in channel main', 'f00d', 'Ann'],
      ['woke by rule roaming, on country-changed', 'roaming', null],
      ['held back by gate window', 'window', null],
      ['download resumed at byte 512', null, null],
    ]);
  });

  it('finds the device of a poll by its number, even when it is enrolled later in the log', async () => {
    const log = new TestLog();
    const polls = [
      { deviceNo: 2, digest: 'aaaaaaaaaaaa', isNews: true },
      { deviceNo: 9, digest: 'aaaaaaaaaaaa' },
    ];
    log.add('muster.device', 'polls', pollsRecorded(polls));
    log.add('muster.handset', 'd2', enrolled('d2', 2));
    expect(await run(log)).toMatchObject([
      { device_id: 'd2', event: 'PollsRecorded', text: 'polled by rule timer;v=1: news', code: 'sent' },
      { device_id: 'd2', event: 'HandsetEnrolled' },
    ]);
  });

  it('keeps two things of one millisecond in the order of the log', async () => {
    const log = new TestLog();
    for (let n = 0; n < 12; n += 1)
      log.records.push({
        ...log.add('muster.device', 'd1', { type: 'TransferStarted', data: OFFER }),
        occurredAt: '2026-11-24T08:00:00.000Z',
      });
    const records = log.records.filter((_, index) => index % 2 === 1);
    log.records.splice(0, log.records.length, ...records);
    const rows = (await run(log)) as unknown as { off: number }[];
    expect(rows.map(({ off }) => off)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('nulls the label of a device that is forgotten, and of no other', async () => {
    const log = new TestLog();
    log.add('muster.handset', 'd1', enrolled('d1', 1, 'Ann'), 1);
    log.add('muster.handset', 'd2', enrolled('d2', 2, 'Bob'), 2);
    log.add('muster.handset', 'd1', { type: 'SubjectForgotten', data: { deviceId: 'd1', reason: 'asked' } }, 1);
    const lines = await run(log);
    expect(lines.map(({ device_id, label }) => [device_id, label])).toEqual([
      ['d1', null],
      ['d2', 'Bob'],
      ['d1', null],
    ]);
  });

  it('passes over an event that it does not know', async () => {
    const log = new TestLog();
    log.records.push({
      ...log.add('muster.device', 'd1', { type: 'TransferStarted', data: OFFER }),
      offset: 1,
      type: 'constructor',
    });
    expect(await run(log)).toHaveLength(1);
  });

  it('shows a tenant nothing of another', async () => {
    const log = new TestLog('acme');
    log.add('muster.handset', 'd1', enrolled('d1', 1, 'Ann'));
    log.add('muster.device', 'polls', pollsRecorded([{ deviceNo: 1, digest: 'aaaaaaaaaaaa' }]));
    expect(await run(log, 'globex')).toEqual([]);
  });

  it('is the same whatever way partitions interleave and batches are cut', async () => {
    const choices = () => fc.array(fc.nat(999), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(story(), choices(), choices(), async (log, one, other) => {
        const schemas = [`build_${(builds += 1)}`, `build_${(builds += 1)}`] as const;
        await build(projector, schemas[0], deviceTimeline, interleave(log.records, one));
        await build(projector, schemas[1], deviceTimeline, interleave(log.records, other));
        const [left, right] = [
          await contents(projector, schemas[0], deviceTimeline),
          await contents(projector, schemas[1], deviceTimeline),
        ];
        expect(left).toEqual(right);
      }),
      { numRuns: 12 },
    );
  });
});

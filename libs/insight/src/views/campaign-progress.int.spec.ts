import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '#event-log/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { CreateInsight1767300000000 } from '../nest/migrations/create-insight.js';
import { build, contents, drafted, enrolled, interleave, pollsRecorded, story, TestLog } from '../testing.js';
import { campaignProgress } from './campaign-progress.js';
import { funnelSql } from './funnel.js';

const OFFER = { campaignId: 'k1', contentId: 'c1' };
const ASKED = { ...OFFER, snapshotVersion: 4 };
const DIGEST = 'aabbccddeeff';

/** The funnel as a tenant's reader gets it. */
async function funnel(insight: Database, schema: string, tenant = 'acme') {
  const rows = await insight.inTenant(tenant, async (tx) => {
    await tx.query(`set local search_path = ${schema}`);
    return tx.query<Record<string, unknown>>(funnelSql());
  });
  return rows.map(({ changed_at: _, event_at: __, tenant: ___, ...row }) => row);
}

function started(log: TestLog): void {
  log.add('muster.campaign', 'k1', drafted('k1', 'spring'));
  log.add('muster.campaign', 'k1', { type: 'CampaignStarted', data: { campaignId: 'k1' } });
}

const published = (log: TestLog, campaigns = ['k1'], version = 4) =>
  log.add(
    'muster.campaign',
    'catalogue:main',
    { type: 'CataloguePublished', data: { channel: 'main', version, digest: DIGEST, campaigns } },
    1,
  );

describe('campaign progress', () => {
  let database: TestDatabase;
  let projector: Database;
  let insight: Database;
  let builds = 0;
  const run = async (log: TestLog) => {
    const schema = `build_${(builds += 1)}`;
    await build(projector, schema, campaignProgress, [log.records]);
    return funnel(insight, schema);
  };

  beforeAll(async () => {
    database = await testDatabase([CreateInsight1767300000000]);
    projector = database.database('muster_projector');
    insight = database.database('muster_insight');
  });
  afterAll(() => database.drop());

  it('counts the devices of each step, and where the others stand', async () => {
    const log = new TestLog();
    started(log);
    published(log);
    for (const no of [1, 2, 3, 4, 5]) log.add('muster.handset', `d${no}`, enrolled(`d${no}`, no), no);
    log.add(
      'muster.device',
      'polls',
      pollsRecorded([1, 2, 3, 4, 5, 1].map((deviceNo) => ({ deviceNo, digest: DIGEST }))),
    );
    log.add('muster.device', 'd1', { type: 'ContentRequested', data: ASKED });
    log.add('muster.device', 'd1', {
      type: 'GrantIssued',
      data: { ...OFFER, jti: 'j', expiresAt: '2026-11-24T09:00:00Z' },
    });
    log.add('muster.device', 'd1', { type: 'TransferStarted', data: OFFER });
    log.add('muster.device', 'd1', { type: 'TransferCompleted', data: { ...OFFER, bytes: 9, sha256: 'ab' } });
    log.add('muster.device', 'd1', { type: 'InstallReported', data: { ...OFFER, outcome: 'installed' } });
    log.add('muster.device', 'd1', { type: 'OutcomeConfirmed', data: { ...OFFER, outcome: 'confirmed' } });
    log.add('muster.device', 'd2', { type: 'ContentDeclined', data: { ...ASKED, reason: 'no-fit' } });
    log.add('muster.device', 'd3', { type: 'ContentDeclined', data: { ...ASKED, reason: 'no-space' } });
    log.add('muster.device', 'd4', { type: 'ContentRequested', data: ASKED });
    log.add('muster.device', 'd4', { type: 'OfferWithheld', data: { ...OFFER, gate: 'window' } });
    expect(await run(log)).toEqual([
      {
        ...{ campaign_id: 'k1', name: 'spring', channel: 'main', status: 'running' },
        ...{ polled: 5, matched: 3, requested: 2, transferred: 1, installed: 1, confirmed: 1 },
        dropped: [
          { kind: 'declined', reason: 'no-fit', devices: 1 },
          { kind: 'declined', reason: 'no-space', devices: 1 },
          { kind: 'withheld', reason: 'window', devices: 1 },
        ],
        seq: 'muster.device/0/10',
      },
    ]);
  });

  it('counts a device as dropped no longer once it goes on', async () => {
    const log = new TestLog();
    started(log);
    log.add('muster.device', 'd1', { type: 'OfferWithheld', data: { ...OFFER, gate: 'cap' } });
    log.add('muster.device', 'd1', { type: 'ContentRequested', data: ASKED });
    expect(await run(log)).toMatchObject([{ requested: 1, dropped: [] }]);
  });

  it('counts a device that a gate holds as one that asked, unless it was never offered', async () => {
    const log = new TestLog();
    started(log);
    log.add('muster.device', 'd1', { type: 'OfferWithheld', data: { ...OFFER, gate: 'cap' } });
    log.add('muster.device', 'd2', { type: 'OfferWithheld', data: { ...OFFER, gate: 'not-offered' } });
    expect(await run(log)).toMatchObject([
      { matched: 1, requested: 1, dropped: [{ reason: 'cap' }, { reason: 'not-offered' }] },
    ]);
  });

  it('counts a device of several contents once', async () => {
    const log = new TestLog();
    started(log);
    for (const contentId of ['c1', 'c2'])
      log.add('muster.device', 'd1', { type: 'ContentRequested', data: { ...ASKED, contentId } });
    expect(await run(log)).toMatchObject([{ matched: 1, requested: 1 }]);
  });

  it('counts polls answered with a snapshot that held the campaign, and no others', async () => {
    const log = new TestLog();
    started(log);
    published(log);
    log.add(
      'muster.device',
      'polls',
      pollsRecorded([
        { deviceNo: 1, digest: DIGEST },
        { deviceNo: 2, digest: '000000000000' },
      ]),
    );
    expect(await run(log)).toMatchObject([{ polled: 1 }]);
  });

  it('counts a device that tells of its poll behind a cache once, whether or not the server saw one too', async () => {
    const log = new TestLog();
    started(log);
    published(log);
    log.add('muster.handset', 'd1', enrolled('d1', 1));
    log.add('muster.handset', 'd2', enrolled('d2', 2));
    log.add('muster.device', 'polls', pollsRecorded([{ deviceNo: 1, digest: DIGEST }]));
    for (const device of ['d1', 'd2'])
      log.add('muster.device', device, {
        type: 'AvailabilityRequested',
        data: { rule: 'timer', version: 1, snapshotVersion: 4 },
      });
    expect(await run(log)).toMatchObject([{ polled: 2 }]);
  });

  it('shows a tenant nothing of another', async () => {
    const log = new TestLog('acme');
    started(log);
    await run(log);
    expect(await funnel(insight, `build_${builds}`, 'globex')).toEqual([]);
  });

  it('keeps what the log said first of a version, in one batch and in two', async () => {
    const log = new TestLog();
    for (const digest of ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'])
      log.add('muster.campaign', 'catalogue:main', {
        type: 'CataloguePublished',
        data: { channel: 'main', version: 1, digest, campaigns: ['k1'] },
      });
    for (const batches of [[log.records], log.records.map((record) => [record])]) {
      const schema = `build_${(builds += 1)}`;
      await build(projector, schema, campaignProgress, batches);
      const rows = await projector.query(`select digest from ${schema}.p_campaign_progress_snapshot_v1`);
      expect(rows).toEqual([{ digest: 'aaaaaaaaaaaa' }]);
    }
  });

  it('is the same whatever way partitions interleave and batches are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        story(),
        fc.array(fc.nat(999), { minLength: 1 }),
        fc.array(fc.nat(999), { minLength: 1 }),
        async (log, one, other) => {
          const schemas = [`build_${(builds += 1)}`, `build_${(builds += 1)}`] as const;
          await build(projector, schemas[0], campaignProgress, interleave(log.records, one));
          await build(projector, schemas[1], campaignProgress, interleave(log.records, other));
          expect(await contents(projector, schemas[0], campaignProgress)).toEqual(
            await contents(projector, schemas[1], campaignProgress),
          );
        },
      ),
      { numRuns: 12 },
    );
  });
});

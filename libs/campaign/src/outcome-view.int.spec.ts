import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database, EventRecord } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { countOutcomes, outcomeView } from './outcome-view.js';
import { type DeviceProgress, NO_TALLY, type Outcome, outcomeOf, OUTCOMES } from './outcomes.js';

const NOW = Date.parse('2026-11-30T12:00:00.000Z');
const MINUTE = 60_000;
const tenant = 'acme';
const timeouts = { transferMinutes: 60, confirmMinutes: 30 };

let database: TestDatabase;
let projector: Database;
let insight: Database;
let campaignId: string;

beforeAll(async () => {
  database = await testDatabase();
  projector = database.database('muster_projector');
  insight = database.database('muster_insight');
  await projector.transaction(async (tx) => {
    await tx.query('set local search_path = proj');
    for (const statement of outcomeView.ddl) await tx.query(statement);
  });
});
beforeEach(() => {
  campaignId = newId();
});
afterAll(() => database.drop());

type Fact = Pick<EventRecord, 'type' | 'data' | 'subject' | 'receivedAt'>;
const fact = (deviceId: string, type: string, atMinutes: number, data: object = {}, contentId = CONTENT): Fact => ({
  type,
  subject: deviceId,
  receivedAt: new Date(NOW + atMinutes * MINUTE).toISOString(),
  data: { campaignId, contentId, ...data },
});
const CONTENT = newId();

const apply = (facts: Fact[]): Promise<void> =>
  projector.transaction(async (tx) => {
    await tx.query('set local search_path = proj');
    await outcomeView.apply(facts.map((each) => ({ tenant, ...each })) as EventRecord[], tx);
  });
const count = (about: Partial<Parameters<typeof countOutcomes>[2]> = {}) =>
  insight.inTenant(tenant, (tx) => countOutcomes(tx, { tenant, campaignId }, { timeouts, now: NOW, ...about }));

const FACTS: Record<keyof DeviceProgress, [string, object]> = {
  grantedAt: ['GrantIssued', {}],
  transferredAt: ['TransferCompleted', {}],
  installedAt: ['InstallReported', { outcome: 'installed' }],
  confirmedAt: ['OutcomeConfirmed', { outcome: 'confirmed' }],
  failedAt: ['InstallReported', { outcome: 'failed' }],
  declinedAt: ['ContentDeclined', { reason: 'user' }],
};
const factsOf = (deviceId: string, progress: DeviceProgress): Fact[] =>
  Object.entries(progress).map(([step, at]) => {
    const [type, data] = FACTS[step as keyof DeviceProgress];
    return fact(deviceId, type, (Number(at) - NOW) / MINUTE, data);
  });

describe('the read model of outcomes', () => {
  const minute = fc.integer({ min: -120, max: 0 }).map((minutes) => NOW + minutes * MINUTE);
  const progress = fc.record(
    {
      grantedAt: minute,
      transferredAt: minute,
      installedAt: minute,
      confirmedAt: minute,
      failedAt: minute,
      declinedAt: minute,
    },
    { requiredKeys: [] },
  );

  it('counts as the rule says, for any devices, however their facts are cut into batches', () =>
    fc.assert(
      fc.asyncProperty(fc.array(progress, { minLength: 1, maxLength: 8 }), fc.nat(), async (devices, cut) => {
        campaignId = newId();
        const facts = devices.flatMap((device) => factsOf(newId(), device));
        const at = facts.length === 0 ? 0 : cut % facts.length;
        await apply(facts.slice(0, at));
        await apply(facts.slice(at));
        const expected: Record<Outcome, number> = { ...NO_TALLY };
        for (const device of devices) {
          const outcome = outcomeOf(device, timeouts, NOW);
          if (outcome !== undefined) expected[outcome] += 1;
        }
        expect((await count()).tally).toEqual(expected);
      }),
      { numRuns: 60 },
    ));

  it('keeps the first time of each step, and counts a repetition once', async () => {
    const device = newId();
    await apply([fact(device, 'GrantIssued', -61)]);
    await apply([fact(device, 'GrantIssued', -1)]); // resumed
    expect(await count()).toEqual({ tally: { ...NO_TALLY, 'timed-out': 1 }, underWay: 0 });
  });

  it('takes the worst of several contents, and confirms a device when all of them are', async () => {
    const [good, half, bad] = [newId(), newId(), newId()];
    const other = newId();
    await apply([
      fact(good, 'OutcomeConfirmed', -1, { outcome: 'confirmed' }),
      fact(good, 'OutcomeConfirmed', -1, { outcome: 'confirmed' }, other),
      fact(half, 'OutcomeConfirmed', -1, { outcome: 'confirmed' }),
      fact(half, 'GrantIssued', -1, {}, other),
      fact(bad, 'OutcomeConfirmed', -1, { outcome: 'confirmed' }),
      fact(bad, 'InstallReported', -1, { outcome: 'failed' }, other),
    ]);
    expect(await count()).toEqual({ tally: { ...NO_TALLY, confirmed: 1, failed: 1 }, underWay: 1 });
  });

  it('says what has become of one device, and of those alone that were granted it since', async () => {
    const [early, late] = [newId(), newId()];
    await apply([
      ...[fact(early, 'GrantIssued', -50), fact(early, 'OutcomeConfirmed', -40, { outcome: 'confirmed' })],
      ...[fact(late, 'GrantIssued', -20), fact(late, 'OutcomeConfirmed', -10, { outcome: 'rolled-back' })],
    ]);
    expect((await count({ deviceId: late })).tally).toEqual({ ...NO_TALLY, failed: 1 });
    const since = new Date(NOW - 30 * MINUTE).toISOString();
    expect((await count({ since })).tally).toEqual({ ...NO_TALLY, failed: 1 });
    expect((await count()).tally).toEqual({ ...NO_TALLY, failed: 1, confirmed: 1 });
  });

  it('leaves out who says that it does not fit', async () => {
    await apply([fact(newId(), 'ContentDeclined', -1, { reason: 'no-fit' })]);
    expect(await count()).toEqual({ tally: NO_TALLY, underWay: 0 });
    expect(OUTCOMES).toHaveLength(5);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, ROUNDS } from '../support/faulty.js';
import { eventually } from '../support/processes.js';

/*
 * F01, F02, F03, F05: the server is killed by SIGKILL at the commit points of the log and of the read models. The manager
 * repeats what was not answered with the same Idempotency-Key. What was answered with success is there afterwards, once.
 */

const POINTS = ['append.before-commit', 'append.after-commit', 'projection.before-checkpoint'] as const;
/** A claim of a key whose request was cut off lapses after this, by the server's clock. */
const CLAIM_LAPSES_MS = 61_000;

let muster: FaultyInstallation;
let contentId = '';

beforeAll(async () => {
  muster = await FaultyInstallation.start('killed-server');
  contentId = await muster.publish(Buffer.from('content'));
});
afterAll(() => muster.stop());

const draft = (key: string, name: string) =>
  muster.people('POST', '/v1/campaigns', {
    body: { name, contents: [contentId] },
    headers: { 'idempotency-key': key },
  });

/** What the log holds under a name: campaigns drafted, each with its id. */
const drafted = async (name: string) =>
  (
    await muster.sql<{ id: string }>(
      `select split_part(stream, '/', 2) as id from log.record
       where topic = 'muster.campaign' and type like '%campaign-drafted%' and data ->> 'name' = $1`,
      [name],
    )
  ).map(({ id }) => id);

/** Counts, for what was acknowledged under these names, what the log has of it. */
async function tallyOf(fault: string, acknowledged: ReadonlyMap<string, string>, more: Record<string, number> = {}) {
  const found = await Promise.all([...acknowledged.keys()].map(drafted));
  const recovered = [...acknowledged.values()].filter((id, i) => found[i]!.includes(id)).length;
  const doubled = found.filter((ids) => ids.length > 1).length;
  printTally(fault, { ...more, acknowledged: acknowledged.size, recovered, doubled });
  expect({ recovered, doubled }).toEqual({ recovered: acknowledged.size, doubled: 0 });
}

/** Repeats until it is answered, as a client does, starting the server anew when it is gone. */
async function draftUntilAnswered(name: string): Promise<{ campaignId: string; kills: number }> {
  const key = randomUUID();
  for (let kills = 0; ; kills += 1) {
    const answer = await muster.unlessGone(draft(key, name));
    if (answer?.status === 201) {
      muster.turnClock(0);
      return { campaignId: (answer.body as { campaignId: string }).campaignId, kills };
    }
    await muster.restart();
    muster.turnClock((kills + 1) * CLAIM_LAPSES_MS);
  }
}

describe('a server that is killed', () => {
  it('F01, before the commit: nothing is in the log, and the same command makes one campaign', async () => {
    muster.arm('append.before-commit:kill');
    expect(await muster.unlessGone(draft(randomUUID(), 'f01 alone'))).toBeUndefined();
    await muster.restart();
    expect(await drafted('f01 alone')).toEqual([]);
    muster.arm('append.before-commit:kill');
    const { campaignId, kills } = await draftUntilAnswered('f01');
    expect(kills).toBe(1);
    await muster.expectSound();
    await tallyOf('F01', new Map([['f01', campaignId]]), { kills });
  });

  it('F02, after the commit and before the answer: the same command gets the first campaign, and makes no second', async () => {
    muster.arm('append.after-commit:kill');
    const { campaignId, kills } = await draftUntilAnswered('f02');
    expect(kills).toBe(1);
    await muster.expectSound();
    await tallyOf('F02', new Map([['f02', campaignId]]), { kills });
  });

  it('F03, after the commit and before a reader has seen it: readers find it after the start', async () => {
    const { campaignId } = await draftUntilAnswered('f03');
    muster.arm('append.after-commit:kill');
    await muster.unlessGone(
      muster.people('POST', `/v1/campaigns/${campaignId}/schedule`, { body: {}, headers: { 'if-match': '*' } }),
    );
    await muster.restart();
    // The scheduler reads the log as a process manager does: it starts what was scheduled before the kill.
    await eventually('the campaign runs', async () => {
      const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`);
      return status === 'running' || undefined;
    });
    await muster.expectSound();
    await tallyOf('F03', new Map([['f03', campaignId]]));
  });

  it('F05, between the rows of a read model and its checkpoint: neither is kept, and both come once', async () => {
    const { campaignId } = await draftUntilAnswered('f05 before');
    muster.arm('projection.before-checkpoint:kill');
    await muster.unlessGone(draft(randomUUID(), 'f05'));
    await muster.restart();
    await muster.expectSound();
    await tallyOf('F05', new Map([['f05 before', campaignId]]));
  });

  it(`loses nothing that was acknowledged, and doubles nothing, in ${ROUNDS} rounds of kills`, async () => {
    const acknowledged = new Map<string, string>();
    let kills = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `round ${round}`;
      muster.arm(`${POINTS[round % POINTS.length]}:kill`);
      const answered = await draftUntilAnswered(name);
      acknowledged.set(name, answered.campaignId);
      kills += Math.max(answered.kills, 1);
      if (answered.kills > 0) continue;
      await muster.restart(); // the read model came to its checkpoint after the answer
    }
    await tallyOf('kill rounds of the server', acknowledged, { rounds: ROUNDS, kills });
    await muster.expectSound();
  });
});

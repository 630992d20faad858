import { createHash, randomBytes } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agents } from '../support/agents.js';
import { FaultyInstallation, printTally, ROUNDS } from '../support/faulty.js';
import { eventually } from '../support/processes.js';

/*
 * F19: the agent is killed at its write points, one after the other: each step of replacing, appending to, moving and
 * removing a file of its store. Started again without the fault it goes on by itself, and within three polls it holds the
 * content, whole, installed and reported once.
 */

/** Kills beside each other on a copy of one enrolled, never polled handset would share its sequence: each has its own. */
const bytes = randomBytes(300_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');

let muster: FaultyInstallation;
let agents: Agents;

beforeAll(async () => {
  muster = await FaultyInstallation.start('killed-agent');
  const contentId = await muster.publish(bytes);
  agents = new Agents(muster, { contentId, sha256 });
  const campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await eventually('the campaign runs', async () => {
    const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`);
    return status === 'running' || undefined;
  });
});
afterAll(() => muster?.stop());

/** @returns how many write points a poll passes that finds the content */
async function writePoints(): Promise<number> {
  const probe = await agents.enrol('probe');
  let [low, high] = [1, 2_000];
  const copy = `${probe.handset.folder}.copy`;
  cpSync(probe.handset.folder, copy, { recursive: true });
  const dies = async (n: number) => {
    rmSync(probe.handset.folder, { recursive: true });
    cpSync(copy, probe.handset.folder, { recursive: true });
    return agents.pollWith(probe, `store.step:kill:${n}`);
  };
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (await dies(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

describe('an agent that is killed', () => {
  it(`F19, at ${ROUNDS} of its write points, ends with the content whole and reported once`, async () => {
    const points = await writePoints();
    expect(points).toBeGreaterThan(50);
    const chosen = Array.from({ length: Math.min(ROUNDS, points) }, (_, i) =>
      ROUNDS >= points ? i + 1 : 1 + Math.floor((i * (points - 1)) / Math.max(1, ROUNDS - 1)),
    );
    const failures: unknown[] = [];
    let recovered = 0;
    let doubled = 0;
    let mostPolls = 0;
    for (const point of chosen) {
      const agent = await agents.enrol(`agent-${point}`);
      const killed = await agents.pollWith(agent, `store.step:kill:${point}`);
      const outcome = await agents.recover(agent);
      mostPolls = Math.max(mostPolls, outcome.polls);
      if (outcome.held && outcome.reports > 0) recovered += 1;
      if (outcome.reports > 1) doubled += 1;
      if (!outcome.held || outcome.reports !== 1) failures.push({ point, killed, ...outcome });
    }
    printTally('F19', { points, acknowledged: chosen.length, recovered, doubled, mostPolls });
    expect(failures).toEqual([]);
    await muster.expectSound();
  });
});

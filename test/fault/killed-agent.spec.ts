import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, ROUNDS, TEST_BUILD } from '../support/faulty.js';
import { eventually } from '../support/processes.js';
import { Handset } from '../support/server.js';

/*
 * F19: the agent is killed at its write points, one after the other: each step of replacing, appending to, moving and
 * removing a file of its store. Started again without the fault it goes on by itself, and within three polls it holds the
 * content, whole, installed and reported once.
 */

const POLLS = 3;
/** Kills beside each other on a copy of one enrolled, never polled handset would share its sequence: each has its own. */
const bytes = randomBytes(300_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');

let muster: FaultyInstallation;
let contentId = '';

beforeAll(async () => {
  muster = await FaultyInstallation.start('killed-agent');
  contentId = await muster.publish(bytes);
  const campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await eventually('the campaign runs', async () => {
    const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`);
    return status === 'running' || undefined;
  });
});
afterAll(() => muster?.stop());

const caFingerprint = () =>
  createHash('sha256')
    .update(Buffer.from(muster.ca.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    .digest('hex');

async function enrolled(name: string): Promise<{ handset: Handset; deviceId: string }> {
  const handset = new Handset(name, muster.folder.path, { MUSTER_TEST_CLOCK: muster.server.clockFile });
  const { code } = await muster.newCode();
  const server = `https://127.0.0.1:${muster.server.handsetPort}`;
  const said = await handset.text('enrol', server, '--ca', caFingerprint(), '--code', code);
  return { handset, deviceId: (JSON.parse(said) as { deviceId: string }).deviceId };
}

/** The same folder, with the fault. */
const faulty = ({ handset }: { handset: Handset }, failpoint: string) =>
  new Handset(handset.name, muster.folder.path, {
    ...TEST_BUILD,
    MUSTER_FAILPOINT: failpoint,
    MUSTER_TEST_CLOCK: muster.server.clockFile,
  });

/** @returns how many write points a poll passes that finds the content */
async function writePoints(): Promise<number> {
  const probe = await enrolled('probe');
  let [low, high] = [1, 2_000];
  const copy = `${probe.handset.folder}.copy`;
  cpSync(probe.handset.folder, copy, { recursive: true });
  const dies = async (n: number) => {
    rmSync(probe.handset.folder, { recursive: true });
    cpSync(copy, probe.handset.folder, { recursive: true });
    return (await faulty(probe, `store.step:kill:${n}`).run('poll', '--reserve', '1024')).code === null;
  };
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (await dies(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

interface Outcome {
  polls: number;
  held: boolean;
  reports: number;
}

async function recover({ handset, deviceId }: { handset: Handset; deviceId: string }): Promise<Outcome> {
  const file = path.join(handset.folder, 'contents', contentId);
  const reports = async () => {
    const at = `/v1/events?topic=muster.device&subject=${deviceId}&type=InstallReported`;
    return (await muster.ok<{ items: unknown[] }>('GET', at)).items.length;
  };
  for (let polls = 1; ; polls += 1) {
    await handset.run('poll', '--reserve', '1024');
    const held = existsSync(file) && createHash('sha256').update(readFileSync(file)).digest('hex') === sha256;
    const outcome = { polls, held, reports: await reports() };
    if ((held && outcome.reports > 0) || polls === POLLS) return outcome;
  }
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
      const agent = await enrolled(`agent-${point}`);
      const { code } = await faulty(agent, `store.step:kill:${point}`).run('poll', '--reserve', '1024');
      const outcome = await recover(agent);
      mostPolls = Math.max(mostPolls, outcome.polls);
      if (outcome.held && outcome.reports > 0) recovered += 1;
      if (outcome.reports > 1) doubled += 1;
      if (!outcome.held || outcome.reports !== 1) failures.push({ point, killed: code === null, ...outcome });
    }
    printTally('F19', { points, acknowledged: chosen.length, recovered, doubled, mostPolls });
    expect(failures).toEqual([]);
    await muster.expectSound();
  });
});

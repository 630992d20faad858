import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PackedPolls, unpackPolls } from '#campaign/events.js';
import { type FleetLine, FleetRun, mean, peakOver } from '../support/fleet-run.js';
import { Installation } from '../support/installation.js';

/*
 * Real agents, woken by the interval that the server names, lose it: its process is stopped (SIGSTOP), so that connections are
 * taken and nobody answers. 300 agents and a minute are the long run (`npm run test:long -- storm`); with the other
 * tests it is a sixth of both. The installation is told to send away from one a second on: 300 agents stand for a fleet,
 * and what they ask for would be no surge to a server as it comes.
 */

const isLong = process.env.MUSTER_STORM === 'long';
const { agents, intervalSeconds, pauseSeconds } = isLong
  ? { agents: 300, intervalSeconds: 30, pauseSeconds: 60 }
  : { agents: 50, intervalSeconds: 10, pauseSeconds: 12 };
/** Chance evens out over this; an average of 10 or 5 a second still shows a peak. */
const WINDOW_SECONDS = 5;

let muster: Installation;
let fleet: FleetRun;

beforeAll(async () => {
  const env = { MUSTER_POLL_INTERVAL_SECONDS: String(intervalSeconds), MUSTER_HANDSET_LEAST_PER_SECOND: '1' };
  muster = await Installation.start('storm', env);
  // Without a period of its own: the server's interval is the period.
  const { version } = await muster.ok<{ version: number }>('GET', '/v1/rules/main');
  const rules = [{ id: 'by-interval', on: ['timer'] }];
  await muster.ok('PUT', '/v1/rules/main', { body: { version: version + 1, rules } });
  fleet = await FleetRun.start(muster, agents);
  print('fleet', fleet.enrolment);
}, 300_000);
afterAll(async () => {
  await fleet?.stop().catch(() => undefined); // it has ended already when all went well
  await muster?.stop();
}, 120_000);

const print = (what: string, figures: object) => console.log(`storm, ${what}: ${JSON.stringify(figures)}`);
const arrivals = (lines: readonly FleetLine[]) => lines.map((line) => line.arrivals);

describe(`${agents} agents whose server stands still for ${pauseSeconds} s`, () => {
  it('come back at three times the steady rate at most, obey Retry-After, and are all served', async () => {
    await sleep(2 * intervalSeconds * 1_000); // until chance has spread them
    const settledAt = Date.now();
    await sleep(3 * intervalSeconds * 1_000);
    const steady = mean(arrivals(fleet.linesSince(settledAt)));
    const expected = agents / intervalSeconds; // a larger one would let a larger peak pass
    expect(steady / expected).toBeGreaterThan(0.7);
    expect(steady / expected).toBeLessThan(1.3);

    const { pid } = muster.server.process;
    process.kill(pid, 'SIGSTOP');
    await sleep(pauseSeconds * 1_000).finally(() => process.kill(pid, 'SIGCONT'));
    const backAt = Date.now();
    await sleep(4 * intervalSeconds * 1_000);
    const after = arrivals(fleet.linesSince(backAt));
    const watchedUntil = Date.now();
    const { sentAway, tooEarly, agentsFailed, failureCodes } = await fleet.stop();
    const served = await servedSince(backAt);
    const heard = new Map(served.toReversed().map(({ deviceNo, at }) => [deviceNo, at]));
    const work = eachSecond(
      served.map(({ at }) => at),
      backAt,
      watchedUntil,
    );
    const peak = { begun: peakOver(after, WINDOW_SECONDS), served: peakOver(work, WINDOW_SECONDS) };
    const about = { allHeardSeconds: (Math.max(...heard.values()) - backAt) / 1_000, busiestSecond: Math.max(...work) };
    print(isLong ? 'long' : 'short', {
      agents,
      steady,
      peak,
      ...about,
      sentAway,
      tooEarly,
      agentsFailed,
      failureCodes,
    });

    expect(peak.begun / steady).toBeLessThanOrEqual(3);
    expect(peak.served / steady).toBeLessThanOrEqual(3);
    expect(sentAway).toBeGreaterThan(0);
    expect({ tooEarly, agentsFailed }).toEqual({ tooEarly: 0, agentsFailed: 0 });
    expect(heard.size).toBe(agents);
    expect(mean(work.slice(-intervalSeconds)) / steady).toBeGreaterThan(0.7);
  }, 600_000);
});

/** Polls that the server did the work for since then, by its log: who, and when by the server's own clock, ms. */
async function servedSince(ms: number): Promise<{ deviceNo: number; at: number }[]> {
  const served: { deviceNo: number; at: number }[] = [];
  for (let from = 'start'; ; ) {
    const query = `topic=muster.device&type=PollsRecorded&limit=200&from=${encodeURIComponent(from)}`;
    const page = await muster.ok<{ items: { data: PackedPolls }[]; position: string }>('GET', `/v1/events?${query}`);
    if (page.items.length === 0) return served;
    served.push(...page.items.flatMap(({ data }) => unpackPolls(data)).filter(({ at }) => at >= ms));
    from = page.position;
  }
}

/** How many in each second from the first instant to the last. */
function eachSecond(times: readonly number[], from: number, to: number): number[] {
  const counts = Array.from({ length: Math.ceil((to - from) / 1_000) }, () => 0);
  for (const at of times) if (at >= from && at < to) counts[Math.floor((at - from) / 1_000)]! += 1;
  return counts;
}

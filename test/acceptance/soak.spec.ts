import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation } from '../support/faulty.js';
import { FleetRun, mean } from '../support/fleet-run.js';
import { eventually } from '../support/processes.js';
import { auditOf } from '../support/server.js';
import { canSample, lagOf, SoakSampler } from '../support/soak-samples.js';
import { judgeSoak, median, type SoakLimits } from '../support/soak-verdict.js';

/*
 * A server under seven tenths of what this machine holds, which a short ramp finds out: handsets that poll over connections of
 * their own, and a campaign that begins and one that ends every half minute. Memory and handles must not grow, read models must
 * catch up, and the auditor must find nothing. At the end a leak is planted, and the same verdict must see it.
 *
 * `MUSTER_SOAK_MINUTES=60` is the long run (`npm run test:long -- soak`), which holds memory to 1 MiB a minute after ten
 * minutes. The three minutes among the other tests can only show larger leaks: what is left after a minute and a half of
 * warm-up is not longer than some of the heap's own swings.
 */

const MINUTES = Number(process.env.MUSTER_SOAK_MINUTES ?? 3);
const isLong = MINUTES >= 30;
const HANDSETS = isLong ? 600 : 100;
const HANDLES = { share: 0.1, beside: 20 };
const LIMITS: SoakLimits = isLong
  ? { warmUpMs: 600_000, pieceMs: 60_000, rssSlope: 1, heapSlope: 1, handleGrowth: HANDLES }
  : { warmUpMs: 90_000, pieceMs: 15_000, rssSlope: 20, heapSlope: 10, handleGrowth: HANDLES };
const LEAK_MS = isLong ? 300_000 : 60_000;
const SAMPLE_MS = isLong ? 5_000 : 2_500;
const CAMPAIGN_MS = 30_000;
const GROUPS = 4;

const RAMP = [5, 10, 20, 40, 80, 160, 320];
const STEP_MS = isLong ? 20_000 : 8_000;
const SHARE = 0.7;

let muster: FaultyInstallation;
let fleet: FleetRun;

describe.skipIf(!canSample())('a soak', () => {
  beforeAll(async () => {
    muster = await FaultyInstallation.start('soak');
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes: { group: { type: 'int' } } } });
    const population = path.join(muster.folder.path, 'population.jsonl');
    const kinds = Array.from({ length: GROUPS }, (_, group) => JSON.stringify({ attributes: { group } }));
    writeFileSync(population, kinds.join('\n'));
    const failures = ['--cut', '0.05', '--vanish', '0.02', '--fail-installs', '0.05', '--think', '0.2'];
    fleet = await FleetRun.start(muster, HANDSETS, ['--population', population, ...failures]);
    print('fleet', fleet.enrolment);
  }, 600_000);
  afterAll(async () => {
    await fleet?.stop().catch(() => undefined); // it has ended already when all went well
    await muster?.stop();
  }, 300_000);

  it(
    `of ${MINUTES} min at seven tenths leaves memory and handles flat, no lag, and nothing for the auditor`,
    async () => {
      const held = await ramp();
      const rate = Math.round(SHARE * held * 10) / 10;
      print('load', { held, rate });
      fleet.setRate(rate);
      const campaigns = new Campaigns();
      const began = Date.now();
      const sampler = new SoakSampler(muster, SAMPLE_MS);
      await sleep(MINUTES * 60_000);
      const samples = await sampler.stop();
      await campaigns.stop();
      const lines = fleet.linesSince(began);
      fleet.setRate(0);
      await eventually(
        'read models have caught up',
        async () => ((await lagOf(muster)) === 0 ? true : undefined),
        60_000,
      );
      const verdict = judgeSoak(samples, LIMITS);
      const { findings, records } = await auditOf(muster.server);
      const answered = mean(lines.map((line) => line.answered));
      const p99Ms = median(lines.map((line) => line.p99Ms));
      print('verdict', {
        ...verdict,
        lagAtMost: Math.max(...samples.map(({ lag }) => lag)),
        records,
        campaigns: campaigns.count,
      });
      print('load', { answered, p99Ms, rssMiB: [samples[0]?.rssMiB, samples.at(-1)?.rssMiB] });
      expect(findings).toEqual([]);
      expect(verdict.faults).toEqual([]);
      expect(answered).toBeGreaterThan(0.9 * rate);
    },
    (MINUTES + 10) * 60_000,
  );

  it(
    'sees a leak that was planted',
    async () => {
      fleet.setRate(RAMP[1]!);
      await sleep(5_000);
      muster.arm('append.after-commit:leak=262144:*');
      const sampler = new SoakSampler(muster, SAMPLE_MS);
      await sleep(LEAK_MS);
      muster.disarm();
      const limits = { ...LIMITS, warmUpMs: 0, pieceMs: LEAK_MS / 6 };
      const verdict = judgeSoak(await sampler.stop(), limits);
      print('planted leak', verdict);
      expect(verdict.faults).toContainEqual(expect.stringContaining('the heap grows'));
    },
    LEAK_MS + 120_000,
  );

  it('ends with agents of which none has failed', async () => {
    const summary = await fleet.stop();
    print('fleet', summary);
    expect(summary).toMatchObject({ agentsFailed: 0, tooEarly: 0, neverBegan: 0 });
    expect(summary.installed).toBeGreaterThan(0);
    expect(summary.cutOff).toBeGreaterThan(0);
  }, 60_000);
});

const print = (what: string, figures: object) => console.log(`soak, ${what}: ${JSON.stringify(figures)}`);

/** The highest rate at which all who come are answered, soon, and nobody comes late: by steps that double, then nothing. */
async function ramp(): Promise<number> {
  let held = 0;
  for (const rate of RAMP) {
    fleet.setRate(rate);
    await sleep(STEP_MS / 4);
    const began = Date.now();
    await sleep((STEP_MS * 3) / 4);
    const lines = fleet.linesSince(began);
    const arrivals = mean(lines.map((line) => line.arrivals));
    const answered = mean(lines.map((line) => line.answered));
    const late = mean(lines.map((line) => line.late));
    const p99Ms = median(lines.map((line) => line.p99Ms));
    const isHeld = answered >= 0.8 * arrivals && late <= 0.2 * arrivals && p99Ms <= 1_000;
    print('ramp', { rate, arrivals, answered, late, p99Ms, isHeld });
    if (!isHeld) break;
    held = rate;
  }
  fleet.setRate(0);
  await sleep(STEP_MS);
  expect(held, 'this machine holds not even the first step').toBeGreaterThan(0);
  return held;
}

/** One begins and one ends every half minute, for a group of the handsets each. */
class Campaigns {
  count = 0;
  private readonly running: string[] = [];
  private failure: Error | undefined;
  private readonly timer: NodeJS.Timeout;
  private turn: Promise<void>;

  constructor() {
    const next = () => this.next().catch((error: Error) => void (this.failure ??= error));
    this.turn = next();
    this.timer = setInterval(() => {
      this.turn = this.turn.then(next);
    }, CAMPAIGN_MS);
  }

  private async next(): Promise<void> {
    const contentId = await muster.publish(randomBytes(65_536));
    const selector = `device.group == ${this.count % GROUPS}`;
    const campaignId = await muster.draft([contentId], { selector });
    await muster.schedule(campaignId);
    this.running.push(campaignId);
    this.count += 1;
    if (this.running.length <= 2) return;
    const ending = { body: { reason: 'the next one begins' }, headers: { 'if-match': '*' } };
    await muster.ok('POST', `/v1/campaigns/${this.running.shift()}/complete`, ending);
  }

  /** @throws what one of them failed by */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.turn;
    if (this.failure !== undefined) throw this.failure;
  }
}

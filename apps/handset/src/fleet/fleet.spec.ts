import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MusterSimulator, offer } from '#handset/testing.js';
import { silentLog, systemClock } from '#runtime/index.js';
import { Rates } from './arrivals.js';
import { Fleet, type FleetOptions } from './fleet.js';
import { readPopulation } from './population.js';

const CONTENT = '01890a5d-ac96-774b-bcce-b302099a8003';

describe('a fleet', () => {
  let folder: string;
  let muster: MusterSimulator;
  const { signal } = new AbortController();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fleet-'));
    muster = await MusterSimulator.start();
  });
  afterEach(async () => {
    await muster.server.close();
    rmSync(folder, { recursive: true });
  });

  const fleetOf = (rate: number, seconds: number, change: Partial<FleetOptions> = {}): Fleet => {
    const { origin, authority } = muster.server;
    return new Fleet({
      server: { server: origin, caFingerprint: authority.fingerprint },
      codes: ['main.code'],
      folder,
      kinds: readPopulation(''),
      shares: { cuts: 0, vanishes: 0, failsInstall: 0 },
      rates: new Rates([rate], seconds),
      arrival: 'poll',
      isOnce: false,
      thinkMs: 0,
      awayMs: 1_000,
      enrolAtOnce: 1,
      clock: systemClock,
      log: silentLog,
      random: Math.random,
      ...change,
    });
  };

  /** Of the one handset that the simulated server knows. */
  const enrolled = async (...of: Parameters<typeof fleetOf>): Promise<Fleet> => {
    const fleet = fleetOf(...of);
    await fleet.enrol(signal);
    return fleet;
  };

  /** Availability requests so far, answered or not. */
  const asked = (): number => muster.server.seen.filter((line) => line.endsWith('/timestamp.json')).length;

  it('lets as many come as were to come, counts those that begin late, and says how many never did', async () => {
    const fleet = await enrolled(500, 1);
    await fleet.drive(signal, 1_000);
    await fleet.stop();
    const { arrivals, late, neverBegan, agentsFailed } = fleet.summary();
    expect(arrivals + neverBegan).toBeGreaterThan(350);
    expect(neverBegan).toBeGreaterThan(0);
    expect(late).toBeGreaterThan(0);
    expect(agentsFailed).toBe(0);
    expect(muster.polls).toHaveLength(arrivals);
  });

  it('leaves a server alone that sends it away, and counts that', async () => {
    const fleet = await enrolled(50, 2);
    muster.failure = { status: 503, headers: { 'retry-after': '60' } };
    await fleet.drive(signal, 2_000);
    await fleet.stop();
    expect(fleet.summary()).toMatchObject({ arrivals: 1, sentAway: 1, tooEarly: 0 });
  });

  it('leaves a handset alone that asked by its own rule and was sent away', async () => {
    muster.rules = { version: 1, rules: [{ id: 'on-boot', on: ['boot'] }] };
    const fleet = await enrolled(50, 1);
    muster.server.behave((_, response) => {
      setTimeout(() => response.writeHead(503, { 'retry-after': '60' }).end(), 300);
    });
    await expect.poll(asked).toBe(1);
    await fleet.drive(signal, 1_000);
    await fleet.stop();
    expect(fleet.summary()).toMatchObject({ arrivals: 1, sentAway: 1, tooEarly: 0 });
    expect(fleet.summary().neverBegan).toBeGreaterThan(10);
  });

  it.each(['poll', 'network'] as const)(
    'hears nothing of a handset that went away in a transfer until it is back (arrival: %s)',
    async (arrival) => {
      muster.offerContent(CONTENT, randomBytes(200_000), [offer()]);
      muster.publish();
      const fleet = await enrolled(50, 4, { arrival, kinds: readPopulation('{"vanishes": true}'), awayMs: 1_500 });
      const driven = fleet.drive(signal, 4_000);
      await expect.poll(() => fleet.tally.wentAway, { timeout: 3_000, interval: 5 }).toBe(1);
      const heard = muster.server.seen.length;
      await sleep(1_200);
      // The round that it left says what it has to say; nothing new begins.
      const begun = muster.server.seen
        .slice(heard)
        .filter((line) => /timestamp\.json$|\/requests$|\/contents\//.test(line));
      expect(begun).toEqual([]);
      expect(fleet.tally.installed).toBe(0);
      await driven;
      await fleet.stop();
      expect(muster.types()).toContain('OutcomeConfirmed');
      expect(fleet.summary()).toMatchObject({ wentAway: 1, installed: 1, tooEarly: 0, agentsFailed: 0, failures: 0 });
      const numbers = muster.facts.map(({ seq }) => seq.n);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    },
  );

  it('stops in the middle of its enrolment, and says how many are in', async () => {
    const stop = new AbortController();
    const fleet = fleetOf(0, 1, { codes: Array.from({ length: 50 }, () => 'main.code') });
    const enrolment = fleet.enrol(stop.signal);
    await expect.poll(() => fleet.enrolled, { interval: 5 }).toBeGreaterThan(0);
    stop.abort();
    await enrolment;
    expect(fleet.enrolled).toBeLessThan(50);
    await fleet.stop();
    const { length } = muster.server.seen;
    await sleep(300);
    expect(muster.server.seen.length - length).toBeLessThanOrEqual(2); // what was under way
  });

  it('stops while a server that is busy keeps its enrolment waiting', async () => {
    muster.failure = { status: 503, headers: { 'retry-after': '60' } };
    const stop = new AbortController();
    const fleet = fleetOf(0, 1);
    const enrolment = fleet.enrol(stop.signal);
    await expect.poll(() => muster.server.seen.length).toBeGreaterThan(0);
    stop.abort();
    await enrolment;
    expect(fleet.enrolled).toBe(0);
  });
});

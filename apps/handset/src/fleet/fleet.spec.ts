import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MusterSimulator } from '#handset/testing.js';
import { silentLog, systemClock } from '#runtime/index.js';
import { Rates } from './arrivals.js';
import { Fleet } from './fleet.js';
import { readPopulation } from './population.js';

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

  /** Of the one handset that the simulated server knows. */
  const enrolled = async (rate: number, seconds: number): Promise<Fleet> => {
    const { origin, authority } = muster.server;
    const fleet = new Fleet({
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
    });
    await fleet.enrol(signal);
    return fleet;
  };

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
});

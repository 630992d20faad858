import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, ROUNDS } from '../support/faulty.js';
import { GivenPostgres } from '../support/given-postgres.js';
import { eventually } from '../support/processes.js';
import { audited, onKafka } from '../support/server.js';
import { Writers } from '../support/writers.js';

/*
 * F12: the postmaster and all its processes are killed under a server that goes on. F16: the log's tables do not answer.
 * And the control: with `synchronous_commit = off` the same kill loses what was acknowledged, so the test can fail.
 */

let postgres: GivenPostgres;
let muster: FaultyInstallation;
let contentId = '';

beforeAll(async () => {
  postgres = await GivenPostgres.start();
  muster = await FaultyInstallation.start('postgres-lost', { DATABASE_URL: postgres.url }, postgres.data);
  contentId = await muster.publish(Buffer.from('content'));
});
afterAll(async () => {
  await muster?.stop({ isSound: !onKafka() }); // the control loses what Kafka keeps: there it is audited before
  await postgres?.remove();
});

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a Postgres that is lost', () => {
  const rounds = Math.max(1, Math.round(ROUNDS / 5));
  it(`F12, killed ${rounds} times under load: nothing acknowledged is lost, and the server goes on within 10 s`, async () => {
    const writers = new Writers(muster, contentId);
    for (let round = 0; round < rounds; round += 1) {
      const stop = writers.run(`f12 ${round}`, 4);
      await wait(700 + 37 * (round % 10));
      await postgres.kill();
      await wait(500);
      const startedAt = Date.now();
      await postgres.start();
      const before = writers.acknowledged.length;
      await eventually('writers go on', async () => writers.acknowledged.length > before || undefined, 10_000);
      expect(Date.now() - startedAt).toBeLessThan(10_000);
      await stop();
    }
    const counts = await writers.found();
    printTally('F12', {
      rounds,
      acknowledged: writers.acknowledged.length,
      ...counts,
      longestGapMs: writers.longestGapMs,
    });
    console.log(`F12: refused while it was away: ${JSON.stringify(Object.fromEntries(writers.refused))}`);
    expect(counts).toEqual({ recovered: writers.acknowledged.length, doubled: 0 });
    for (const how of writers.refused.keys()) expect(how).toMatch(/^503 .* with retry-after$/);
    await muster.expectSound();
  });

  it('F16, tables that do not answer: every request ends, the queue is shed with 503, and nothing hangs afterwards', async () => {
    const writers = new Writers(muster, contentId);
    const holding = muster.sql(`begin; lock table log.head in exclusive mode; select pg_sleep(12); commit`);
    await wait(300);
    await Promise.all(Array.from({ length: 40 }, (_, n) => writers.draft(`f16 ${n}`)));
    await holding;
    const startedAt = Date.now();
    await writers.draft('f16 after');
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    const counts = await writers.found();
    printTally('F16', { acknowledged: writers.acknowledged.length, ...counts });
    console.log(`F16: refused: ${JSON.stringify(Object.fromEntries(writers.refused))}`);
    expect(writers.acknowledged).toContain('f16 after');
    expect([...writers.refused.values()].reduce((sum, n) => sum + n, writers.acknowledged.length)).toBe(41);
    for (const how of writers.refused.keys()) expect(how).toMatch(/^503 .* with retry-after$/);
    expect(counts).toEqual({ recovered: writers.acknowledged.length, doubled: 0 });
    await muster.expectSound();
  });

  it.runIf(onKafka())('leaves both logs equal', () => audited(muster.server));

  it('the control: with synchronous_commit off the same kill loses what was acknowledged', async () => {
    const roles = await muster.sql<{ name: string }>(
      `select rolname as name from pg_roles where rolname like 'muster_%'`,
    );
    for (const { name } of roles) await muster.sql(`alter role ${name} set synchronous_commit = off`); // Muster sets it on
    await muster.sql(`alter system set wal_writer_delay = '10s'`);
    await muster.sql(`select pg_reload_conf()`);
    await muster.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename like 'muster_%'`);
    await wait(500);
    const writers = new Writers(muster, contentId);
    for (let n = 0; n < 20; n += 1) await writers.draft(`off ${n}`);
    await postgres.kill();
    await postgres.start();
    const counts = await eventually('Postgres answers', () => writers.found().catch(() => undefined));
    printTally('synchronous_commit off', { acknowledged: writers.acknowledged.length, ...counts });
    expect(writers.acknowledged.length).toBe(20);
    expect(counts.recovered).toBeLessThan(20);
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally } from '../support/faulty.js';
import { GivenKafka, isOnKafka, RELAY_LAG } from '../support/given-kafka.js';
import { eventually } from '../support/processes.js';
import { nonsenseServer } from '../support/proxies.js';
import { Reporters } from '../support/reporters.js';
import { Writers } from '../support/writers.js';

/*
 * F07 to F09: the one broker is killed, slow, silent in one direction, or replaced by something that is no broker. Commands
 * are accepted the whole time; facts of handsets wait or are refused with 503, and are then taken, once each.
 */

const AWAY_MS = Number(process.env.MUSTER_BROKER_AWAY_SECONDS ?? 10) * 1_000;
/** More than the connections of Postgres that a server has for its actor: facts that wait must leave some for commands. */
const HANDSETS = 24;
const MANAGERS = 2;
const DRAIN_MS = 120_000;
/** For a fault that is over as soon as it has struck. */
const AT_ONCE_MS = 2_000;

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const p99 = (took: readonly number[]) => [...took].sort((a, b) => a - b)[Math.ceil(took.length * 0.99) - 1] ?? 0;

describe.skipIf(!isOnKafka('F07, F08, F09'))('a broker that fails', () => {
  let kafka: GivenKafka;
  let muster: FaultyInstallation;
  let writers: Writers;
  let reporters: Reporters;

  beforeAll(async () => {
    kafka = await GivenKafka.behindLink();
    muster = await FaultyInstallation.start('broker-faults', kafka.settings);
    const contentId = await muster.publish(Buffer.from('content'));
    writers = new Writers(muster, contentId);
    reporters = await Reporters.enrol(muster, HANDSETS, contentId);
  });
  afterAll(async () => {
    await muster?.stop();
    await kafka?.remove();
  });

  const lag = async () => (await muster.sql<{ lag: number }>(RELAY_LAG))[0]?.lag ?? 0;

  /** What an operator sees of it, also while the broker is away. */
  async function lagTold(): Promise<{ toldEvents: number; toldSeconds: number }> {
    const metrics = (await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8');
    const valuesOf = (name: string) =>
      [...metrics.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
    const toldEvents = valuesOf('muster_relay_lag_events').reduce((sum, n) => sum + n, 0);
    return { toldEvents, toldSeconds: Math.round(Math.max(...valuesOf('muster_relay_lag_seconds'))) };
  }

  /** Managers and handsets go on before, during and after the fault. @returns how the answers during it were */
  async function underLoad(name: string, fault: () => Promise<void>, heal: () => Promise<void>, awayMs = AWAY_MS) {
    const managers = writers.run(name, MANAGERS);
    const handsets = reporters.run();
    await wait(1_000);
    await fault();
    const before = writers.acknowledged.length;
    await eventually('a command is accepted', async () => writers.acknowledged.length > before || undefined);
    await wait(awayMs);
    const accepted = writers.acknowledged.length - before;
    const mostLag = await lag();
    const told = await lagTold();
    await heal();
    const factsBefore = reporters.acknowledged.length;
    await eventually('facts are taken', async () => reporters.acknowledged.length > factsBefore || undefined, DRAIN_MS);
    const healedAt = Date.now();
    await managers();
    await handsets();
    await eventually('the lag has drained', async () => (await lag()) === 0 || undefined, DRAIN_MS);
    return { accepted, mostLag, ...told, drainedMs: Date.now() - healedAt };
  }

  async function expectWhole(name: string, more: Record<string, number> = {}): Promise<void> {
    const commands = await writers.found();
    printTally(`${name} commands`, { acknowledged: writers.acknowledged.length, ...commands, ...more });
    const facts = await reporters.found(kafka);
    printTally(`${name} facts`, { acknowledged: reporters.acknowledged.length, ...facts });
    console.log(`${name}: commands refused ${said(writers.refused)}, facts refused ${said(reporters.refused)}`);
    expect(commands).toEqual({ recovered: writers.acknowledged.length, doubled: 0 });
    expect(facts).toMatchObject({ recovered: reporters.acknowledged.length, doubled: 0 });
    expect([...writers.refused.keys()]).toEqual([]);
    // A connection may break unanswered on a busy machine; what is answered is a refusal that says when to come again.
    for (const how of reporters.refused.keys()) expect(how).toMatch(/^no answer|^503 .* with retry-after$/);
    await kafka.relayed(muster);
    await muster.expectSound();
  }

  const said = (refused: ReadonlyMap<string, number>) => JSON.stringify(Object.fromEntries(refused));

  it(`F07, killed and away for ${AWAY_MS / 1_000} s: commands are accepted, facts are refused or wait, the lag drains in order`, async () => {
    const outcome = await underLoad(
      'f07',
      () => kafka.kill(),
      () => kafka.start(),
    );
    expect(outcome.accepted).toBeGreaterThan(0);
    // Each may have waited for the answer to a command that was relayed before the kill.
    expect(outcome.mostLag).toBeGreaterThanOrEqual(outcome.accepted - MANAGERS);
    expect(outcome.toldEvents).toBeGreaterThanOrEqual(outcome.mostLag);
    expect(outcome.toldSeconds).toBeGreaterThanOrEqual(AWAY_MS / 2_000); // the oldest has waited about as long as it was away
    await expectWhole('F07', outcome);
  });

  it('F08, answers 3 s late: no command waits for it', async () => {
    const quick = new Writers(muster, reporters.contentId);
    for (let n = 0; n < 30; n += 1) await quick.draft(`f08 quick ${n}`);
    kafka.link!.turnTo('slow', 1_500); // to the broker, and back
    const slow = new Writers(muster, reporters.contentId);
    let ahead = 0;
    for (let n = 0; n < 30; n += 1) {
      await slow.draft(`f08 slow ${n}`);
      if ((await lag()) > 0) ahead += 1;
    }
    kafka.link!.turnTo('clear');
    const [without, withFault] = [p99(quick.tookMs), p99(slow.tookMs)];
    console.log(
      `F08: p99 of commands ${without.toFixed(0)} ms, with the fault ${withFault.toFixed(0)} ms, ratio ${(withFault / without).toFixed(2)}; ${ahead} of 30 answered before Kafka had them`,
    );
    expect([slow.acknowledged.length, slow.refused.size]).toEqual([30, 0]);
    expect(ahead).toBeGreaterThan(20); // a round trip takes 3 s at the least, so only few can have been relayed
    await eventually('the lag has drained', async () => (await lag()) === 0 || undefined, DRAIN_MS);
    await expectWhole('F08');
  });

  it('F09, heard and not answering: sends end at their deadline, nothing has two effects, the relay goes on', async () => {
    const outcome = await underLoad(
      'f09',
      async () => kafka.link!.turnTo('deaf'),
      async () => {
        await muster.server.process.waitFor(/"event":"relay.failed"/);
        kafka.link!.turnTo('clear');
        kafka.link!.reset(); // what was swallowed is gone, and so are connections that waited for it
      },
    );
    await expectWhole('F09', outcome);
  });

  it('F09, ends its side of every connection: clients come again', async () => {
    const outcome = await underLoad(
      'f09 half',
      async () => kafka.link!.halfClose(),
      async () => kafka.link!.halfClose(),
      AT_ONCE_MS,
    );
    await expectWhole('F09 half-closed', outcome);
  });

  it('something else in its place that talks nonsense: refused within the deadline, and it goes on with the broker', async () => {
    const nonsense = await nonsenseServer((socket) => void socket.write(randomBytes(512)));
    let broker = 0;
    const outcome = await underLoad(
      'nonsense',
      async () => void (broker = kafka.moveLink(nonsense.port)),
      async () => void kafka.moveLink(broker),
      AWAY_MS / 2,
    );
    await nonsense.close();
    await expectWhole('nonsense', outcome);
  });
});

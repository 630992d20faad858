import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { readFleet } from '../support/fleet.js';
import {
  auditOf,
  eventsInPostgres,
  readKafka,
  type Tally,
  tallyOfCommands,
  tallyOfFacts,
  unsettled,
} from '../support/nemesis-checks.js';
import { planOf, ROUND_MS, strikeAll } from '../support/nemesis-faults.js';
import { NemesisInstallation } from '../support/nemesis-installation.js';
import { Managers } from '../support/nemesis-managers.js';
import { eventually } from '../support/processes.js';

/*
 * The random mode of the fault matrix: three brokers, two copies of each service, a fleet of real agents, and one to three
 * faults every 20 s, chosen by a seed. Then all faults stop; what was acknowledged is there, once, and everything that
 * follows from it is done within a minute, with no manual step.
 *
 * A minute and 24 agents with the other tests; `MUSTER_NEMESIS_MINUTES=20` is the long run, with 300.
 * `MUSTER_NEMESIS_SEED` brings the faults of an earlier run.
 */

const MINUTES = Number(process.env.MUSTER_NEMESIS_MINUTES ?? 1);
const SEED = Number(process.env.MUSTER_NEMESIS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const isLong = MINUTES >= 10;
const AGENTS = isLong ? 300 : 24;
const MANAGERS = 3;
const PATIENCE_MS = 400_000;
/** The short run shares its machine with other tests, and may take its time. */
const DRAINED_WITHIN_SECONDS = isLong ? 60 : PATIENCE_MS / 1_000;
/** Of any service's process, however long it runs. */
const MEMORY_MIB = 512;
const SAMPLE_MS = 5_000;

const isOnKafka = process.env.MUSTER_TEST_LOG === 'kafka';
if (!isOnKafka) console.log('the nemesis strikes three brokers: it runs in the project fault-kafka');

describe.skipIf(!isOnKafka)('a nemesis', () => {
  let muster: NemesisInstallation | undefined;
  afterAll(() => muster?.remove(), 180_000);

  it(`strikes for ${MINUTES} min, seed ${SEED}: nothing acknowledged is lost, nothing is doubled, and all is drained`, async () => {
    console.log(`nemesis: seed ${SEED}, ${MINUTES} min, ${AGENTS} agents`);
    const installation = await NemesisInstallation.start(AGENTS);
    muster = installation;
    const { fleetFolder, copies, brokers, fleet } = installation;
    await eventually('all have enrolled', async () => readFleet(fleetFolder).length === AGENTS || undefined, 300_000);
    const managers = new Managers(installation);
    managers.run(MANAGERS);
    const sampling = setInterval(() => void Promise.all(copies.map((copy) => copy.measure())), SAMPLE_MS);
    const { struck, drain } = await strike(installation, managers).finally(() => {
      clearInterval(sampling);
      managers.leave();
    });

    await fleet.stop();
    const agents = readFleet(fleetFolder);
    const kafka = await readKafka(brokers);
    const commands = tallyOfCommands(managers.acknowledged, await eventsInPostgres(installation));
    const relayed = tallyOfCommands(managers.acknowledged, kafka.events);
    const facts = tallyOfFacts(agents, kafka.facts);
    print({ struck, drain, repeats: kafka.repeats, memory: copies, tallies: { commands, relayed, facts } });

    expect(managers.refused).toEqual([]);
    for (const tally of [commands, relayed, facts]) expect(tally).toMatchObject({ lost: 0, doubled: 0 });
    expect(kafka.doubledInstalls).toBe(0);
    expect(fleet.output()).not.toMatch(/agent\.failed|fact\.refused|queue\.lost/);
    for (const copy of copies) expect(copy.peakMegabytes, copy.name).toBeLessThan(MEMORY_MIB);
    const { findings, projections, relay } = await auditOf(installation);
    expect(findings).toEqual([]);
    expect(relay).toMatchObject({ pending: 0 });
    console.log(`nemesis: the audit found nothing; rebuilt and equal: ${projections.join(', ')}`);
    expect(drain.seconds, drain.late.slice(0, 20).join('; ')).toBeLessThan(DRAINED_WITHIN_SECONDS);
  });
});

async function strike(installation: NemesisInstallation, managers: Managers) {
  const struck = await strikeAll(installation, planOf(SEED, Math.round((MINUTES * 60_000) / ROUND_MS)));
  return { struck, drain: await drained(installation, managers) };
}

interface Drain {
  seconds: number;
  /** What was not done yet when it should have been. */
  late: string[];
}

/** Lets managers finish, and waits until nothing is left to do; longer than it may take, so that all can be counted. */
async function drained(installation: NemesisInstallation, managers: Managers): Promise<Drain> {
  const healedAt = Date.now();
  const seconds = () => (Date.now() - healedAt) / 1_000;
  const inTime = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`managers were not answered in ${PATIENCE_MS} ms`);
  });
  await Promise.race([managers.stop(), inTime]);
  let left: string[] = [];
  let late: string[] = [];
  const isDone = async () => {
    left = await unsettled(installation, managers);
    if (late.length === 0 && seconds() > DRAINED_WITHIN_SECONDS) late = left;
    return left.length === 0 || undefined;
  };
  await eventually('everything is drained', isDone, PATIENCE_MS).catch((error: Error) => {
    throw new Error(`${error.message}: ${left.slice(0, 20).join('; ')}`);
  });
  return { seconds: seconds(), late };
}

interface Outcome {
  struck: ReadonlyMap<string, number>;
  drain: Drain;
  repeats: number;
  memory: readonly { name: string; starts: number; peakMegabytes: number }[];
  tallies: Record<string, Tally>;
}

function print({ struck, drain, repeats, memory, tallies }: Outcome): void {
  const faults = [...struck].map(([kind, count]) => `${kind} ${count}`).sort();
  const lines = [
    `nemesis: seed ${SEED}, ${MINUTES} min, ${AGENTS} agents, drained in ${drain.seconds.toFixed(1)} s`,
    `  faults: ${faults.join(', ')}`,
    ...Object.entries(tallies).map(
      ([what, { acknowledged, recovered, lost, doubled }]) =>
        `  ${what}: acknowledged ${acknowledged}, recovered ${recovered}, lost ${lost}, doubled ${doubled}`,
    ),
    `  records that came twice to Kafka, and are dropped by readers: ${repeats}`,
    ...memory.map(({ name, starts, peakMegabytes }) => `  ${name}: ${starts} starts, at most ${peakMegabytes} MiB`),
  ];
  console.log(lines.join('\n'));
}

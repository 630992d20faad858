import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Guard } from '#runtime/index.js';
import { missing } from '../../deploy/kafka/broker.mjs';
import { run } from '../support/processes.js';

/*
 * Each guard of the log, the read models and the catalogue is taken away in a run of the suite that watches it: the
 * test named here must fail then, and pass with the guard in place. A guard that no test misses is not tested.
 */

interface Watched {
  project: 'unit' | 'integration' | 'kafka';
  file: string;
  test: string;
}

const ON_POSTGRES: Record<Guard, Watched> = {
  version: {
    project: 'integration',
    file: 'libs/event-log/src/postgres-log.int.spec.ts',
    test: 'of two writers at one version one wins, the other gets log.version-conflict',
  },
  gap: {
    project: 'integration',
    file: 'libs/event-log/src/projection-runner.int.spec.ts',
    test: 'stops the partition with a missing record, and no other',
  },
  checkpoint: {
    project: 'integration',
    file: 'libs/event-log/src/projection-runner.int.spec.ts',
    test: 'applies each record once when two runners work on it',
  },
  dedupe: {
    project: 'integration',
    file: 'libs/event-log/src/projection-runner.int.spec.ts',
    test: 'drops facts that a source sent before, by epoch and number',
  },
  signature: {
    project: 'unit',
    file: 'libs/tuf/src/attacks.spec.ts',
    test: 'refuses a changed file under an honest signature with tuf.threshold',
  },
  lease: {
    project: 'integration',
    file: 'libs/campaign/src/nest/publisher.int.spec.ts',
    test: 'publishing at once leave no gap and no version twice, and one event a snapshot',
  },
  tail: {
    project: 'kafka',
    file: 'libs/event-log/src/kafka/relay.kafka.spec.ts',
    test: 'refuses with kafka.ahead when Postgres was restored from before, naming topic, partition and offsets',
  },
};

/** What its reader does on its own. */
const ON_KAFKA: Partial<Record<Guard, Watched>> = {
  gap: {
    project: 'kafka',
    file: 'libs/event-log/src/kafka/kafka-reader.kafka.spec.ts',
    test: 'gives out nothing from beyond the gap',
  },
  dedupe: {
    project: 'kafka',
    file: 'libs/event-log/src/kafka/kafka-reader.kafka.spec.ts',
    test: 'is read once each, in the order of the log',
  },
};

const isOnKafka = process.env.MUSTER_TEST_LOG === 'kafka';
const WATCHED = isOnKafka ? ON_KAFKA : ON_POSTGRES;
if (isOnKafka)
  for (const guard of Object.keys(ON_POSTGRES).filter((each) => !(each in ON_KAFKA)))
    console.log(`${guard}: held in Postgres or above the log, the same code on both; watched by the run on Postgres`);

const VITEST = path.resolve('node_modules/vitest/vitest.mjs');

/** Runs the file in a process of its own; whole, because a test may go on from the one before. */
function suite({ project, file }: Watched, unguarded: Record<string, string> = {}) {
  const args = [VITEST, 'run', '--project', project, file, '--reporter=json'];
  const { PATH, HOME, MUSTER_KAFKA_HOME } = process.env;
  const env = { PATH, HOME, MUSTER_KAFKA_HOME, ...unguarded };
  return run(process.execPath, args, { env });
}

interface Report {
  testResults: { assertionResults: { title: string; status: string }[] }[];
}

/** Once a file: several guards are watched by one. */
const guardedRuns = new Map<string, ReturnType<typeof suite>>();
function guardedSuite(watched: Watched) {
  const run = guardedRuns.get(watched.file) ?? suite(watched);
  guardedRuns.set(watched.file, run);
  return run;
}

/** What the run says of the test: a run that broke down otherwise says nothing. */
const statusOf = (stdout: string, { test }: Watched) =>
  (JSON.parse(stdout.slice(stdout.indexOf('{"num'))) as Report).testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ title }) => title === test)?.status;

const lacking = missing();
if (lacking !== undefined) console.log(`${lacking}: guards on Kafka are skipped`);
const watchable = Object.entries(WATCHED).filter(([, { project }]) => project !== 'kafka' || lacking === undefined);

describe.each(watchable)('the guard %s', (guard, watched) => {
  it('is missed by the suite when it is gone', async () => {
    const { code, stdout } = await suite(watched, { MUSTER_UNGUARD: guard });
    expect({ failed: code !== 0, status: statusOf(stdout, watched) }, stdout).toEqual({
      failed: true,
      status: 'failed',
    });
  });

  it('is all that the suite missed', async () => {
    const { code, stdout } = await guardedSuite(watched);
    expect({ code, status: statusOf(stdout, watched) }, stdout).toEqual({ code: 0, status: 'passed' });
  });
});

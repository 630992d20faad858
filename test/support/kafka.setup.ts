import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { missing, startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of the run's brokers; empty when there are none, and then the tests are skipped. */
    kafka: string[];
  }
}

/** One real broker for the whole run of a project, in a folder that is removed with it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const lacking = missing();
  if (lacking !== undefined) {
    if (process.env.MUSTER_TEST_ALL === '1') throw new Error(lacking);
    console.log(`${lacking}: tests on Kafka are skipped`);
    project.provide('kafka', []);
    return async () => undefined;
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-kafka-'));
  const end = async () => {
    await stopKafka(folder);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { brokers } = await startKafka({ folder, freePorts: true });
    project.provide('kafka', brokers);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { GivenPostgres } from '../support/given-postgres.js';
import { eventually, freePort, type Running, startNode, temporaryFolder } from '../support/processes.js';

/*
 * F27: the parts of an installation in scale mode, started in any order. A service whose Postgres or
 * broker is not there yet waits and says so; when all have been started, all become ready.
 */

const PARTS = ['postgres', 'broker', 'campaign-1', 'campaign-2', 'insight'] as const;
type Part = (typeof PARTS)[number];

const isLong = process.env.MUSTER_FAULT_ROUNDS !== undefined;
const ORDERS = isLong ? 20 : 5;
const SEED = Number(process.env.MUSTER_FAULT_SEED ?? Date.now() % 1_000_000);
/** Of a machine that does other things too; alone it takes a third. */
const READY_MS = 120_000;

/** The worst ones always: everything before what it needs. */
const orders = (): Part[][] => {
  const drawn = fc.sample(fc.shuffledSubarray([...PARTS], { minLength: PARTS.length }), {
    numRuns: ORDERS - 2,
    seed: SEED,
  });
  return [[...PARTS].reverse(), ['campaign-1', 'insight', 'broker', 'campaign-2', 'postgres'], ...drawn];
};

class ScaleParts {
  private readonly folder = temporaryFolder('start-order');
  private readonly services = new Map<Part, Running>();
  private readonly ports = new Map<Part, number>();
  private postgres!: GivenPostgres;
  private brokers: string[] = [];

  /** Settles addresses: the parts must know each other before they are there. */
  static async place(): Promise<ScaleParts> {
    const it = new ScaleParts();
    it.postgres = await GivenPostgres.start();
    await it.postgres.kill();
    ({ brokers: it.brokers } = await startKafka({ folder: it.broker, freePorts: true }));
    await stopKafka(it.broker);
    mkdirSync(path.join(it.folder.path, 'data', 'keys'), { recursive: true });
    for (const part of PARTS) it.ports.set(part, await freePort());
    return it;
  }

  private get broker(): string {
    return path.join(this.folder.path, 'broker');
  }

  async start(part: Part): Promise<void> {
    if (part === 'postgres') await this.postgres.start();
    else if (part === 'broker') await startKafka({ folder: this.broker, freePorts: true });
    else this.services.set(part, await this.service(part));
  }

  private async service(part: Part): Promise<Running> {
    const data = path.join(this.folder.path, 'data');
    const env = {
      PATH: process.env.PATH ?? '',
      MUSTER_DATA: data,
      MUSTER_KEK_FILE: path.join(data, 'keys', 'kek'),
      MUSTER_LOG: 'kafka',
      MUSTER_PORT: String(this.ports.get(part)),
      MUSTER_HANDSET_PORT: String(await freePort()),
      DATABASE_URL: this.postgres.url,
      KAFKA_BROKERS: this.brokers.join(','),
      MUSTER_START_PATIENCE_SECONDS: '600', // on a busy machine a broker takes a while
    };
    return startNode(path.resolve(`dist/apps/${part.split('-')[0]}/src/main.js`), [], { env });
  }

  /** A service says what it waits for, and is not ready meanwhile. */
  async expectWaiting(part: Part, what: 'postgres' | 'kafka'): Promise<void> {
    const service = this.services.get(part);
    if (service === undefined) return;
    await service.waitFor(new RegExp(`"event":"${what}[.]awaited"`), READY_MS);
    expect(await this.isReady(part)).toBe(false);
  }

  /** How long until every service answers that it is ready. */
  async whenReady(): Promise<number> {
    const began = performance.now();
    for (const [part, service] of this.services)
      await eventually(
        `${part} is ready`,
        async () => {
          if (!service.isRunning()) throw new Error(`${part} has ended:\n${service.output()}`);
          return (await this.isReady(part)) || undefined;
        },
        READY_MS,
      );
    return performance.now() - began;
  }

  private async isReady(part: Part): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.get(part)}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.stop()));
    this.services.clear();
    await stopKafka(this.broker);
    await this.postgres.kill();
  }

  async remove(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.stop()));
    await stopKafka(this.broker);
    await this.postgres.remove();
    this.folder.remove();
  }
}

const lacking = missing();
const mayRun = process.env.MUSTER_TEST_ALL === '1' || lacking === undefined;
if (!mayRun) console.log(`${lacking}: starts in any order are not tried`);

describe.runIf(mayRun && process.env.MUSTER_TEST_LOG !== 'kafka')(`an installation on Kafka, seed ${SEED}`, () => {
  let parts: ScaleParts;
  beforeAll(async () => {
    parts = await ScaleParts.place();
  });
  afterAll(() => parts?.remove());

  // The first of them makes the installation; to the others it is a restart of everything.
  it.each(orders())('F27: is ready when started as %s, %s, %s, %s, %s', async (...order) => {
    const up = new Set<Part>();
    for (const part of order) {
      await parts.start(part);
      const awaited = !up.has('postgres') ? 'postgres' : !up.has('broker') ? 'kafka' : undefined;
      if (awaited !== undefined) await parts.expectWaiting(part, awaited);
      up.add(part);
    }
    const readyMs = await parts.whenReady();
    console.log(`F27 ${order.join(', ')}: ready ${Math.round(readyMs)} ms after the last was started`);
    await parts.stop();
  });
});

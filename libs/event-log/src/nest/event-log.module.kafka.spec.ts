import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, silentLog, systemClock } from '#runtime/index.js';
import { RuntimeModule } from '#runtime/nest/runtime.module.js';
import { killBroker, startBroker, startKafka, stopKafka } from '../../../../deploy/kafka/broker.mjs';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { hasKafka } from '../../../../test/support/kafka.js';
import { eventCatalog } from '../catalog.js';
import type { EventContext } from '../event-log.js';
import { contractDefinitions } from '../log-contract.js';
import { PostgresLog } from '../postgres-log.js';
import { projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';
import { CommittedLog, Databases, EventLogModule, eventLogMigrations, TailLog } from './event-log.module.js';

const TOPIC = 'muster.campaign';
const by = (): EventContext => ({ tenant: 'acme', actor: 'system:test', commandId: newId() });
const note = (text: string) => ({ type: 'ThingNoted', data: { text } });
const fact = (n: number) => ({
  subject: 'device-1',
  context: by(),
  event: { type: 'FactNoted', data: { text: String(n) } },
  sequence: { source: 'device-1', epoch: 1, n },
});

const noted = projection('noted', 1, {
  topics: [TOPIC, 'muster.device'],
  tables: ['p_noted_v1'],
  ddl: ['create table p_noted_v1 (stream text primary key, texts text not null)'],
  apply: async (batch, tx) => {
    for (const { stream, data } of batch)
      await tx.query(
        `insert into p_noted_v1 as p values ($1, $2)
         on conflict (stream) do update set texts = p.texts || ' ' || excluded.texts`,
        [stream, (data as { text: string }).text],
      );
  },
});

/** A broker of its own, because it is killed. */
describe.skipIf(!hasKafka())('event log module on Kafka', () => {
  let db: TestDatabase;
  let folder: string;
  let brokers: string[];
  const running: { close(): Promise<void> }[] = [];

  const start = async (on: readonly string[] | undefined) => {
    const urls = {
      actor: db.url('muster_campaign'),
      tail: db.url('muster_tail'),
      projector: db.url('muster_projector'),
      insight: db.url('muster_insight'),
    };
    const options = { urls, kekFile: path.join(folder, 'keys', 'kek'), catalog: eventCatalog(contractDefinitions) };
    const module = await Test.createTestingModule({
      imports: [
        RuntimeModule.forRoot({ clock: systemClock, log: silentLog }),
        EventLogModule.forRoot({ ...options, projections: [noted], brokers: on }),
      ],
    }).compile();
    await module.init();
    running.push(module);
    return module;
  };
  const relayedAndApplied = async (module: Awaited<ReturnType<typeof start>>) => {
    const goal = await db
      .database('muster_tail')
      .query<{ topic: string; part: number; next_off: number }>(
        `select topic, part, next_off from log.head where next_off > 0`,
      );
    await module.get(ProjectionRunner).whenCaughtUp({
      ...(await module.get(TailLog).heads()),
      ...Object.fromEntries(goal.map(({ topic, part, next_off }) => [`${topic}/${part}`, next_off])),
    });
    const rows = await module
      .get(Databases)
      .projector.query<{ stream: string; texts: string }>('select * from proj.p_noted_v1 order by stream');
    return Object.fromEntries(rows.map(({ stream, texts }) => [stream, texts]));
  };

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    folder = mkdtempSync(path.join(tmpdir(), 'muster-away-'));
    ({ brokers } = await startKafka({ folder, freePorts: true }));
  });
  afterAll(async () => {
    for (const module of running) await module.close();
    await db.drop();
    await stopKafka(folder);
    rmSync(folder, { recursive: true });
  });

  it('takes commands while the broker is away, refuses facts, and when it is back all come in order', async () => {
    const module = await start(brokers);
    const log = module.get(PostgresLog);
    await log.append(TOPIC, { subject: 'one' }, [note('1')], by());
    await log.appendFacts('muster.device', [fact(1)]);
    expect(await relayedAndApplied(module)).toEqual({ 'acme/device-1': '1', 'acme/one': '1' });

    await killBroker(folder, 1);
    for (const text of ['2', '3', '4']) await log.append(TOPIC, { subject: 'one' }, [note(text)], by());
    const { partition } = (await log.readStream(TOPIC, 'acme', 'one'))[0]!;
    expect(await module.get(CommittedLog).read(TOPIC, partition, 0, 10)).toHaveLength(4);
    const began = performance.now();
    await expect(log.appendFacts('muster.device', [fact(2)])).rejects.toMatchObject({ code: 'log.unavailable' });
    expect(performance.now() - began).toBeLessThan(15_000);

    await startBroker(folder, 1);
    await log.appendFacts('muster.device', [fact(2)]);
    expect(await relayedAndApplied(module)).toEqual({ 'acme/device-1': '1 2', 'acme/one': '1 2 3 4' });
    expect(await module.get(ProjectionRunner).verify('noted')).toEqual({ equal: true });
  });

  it('refuses to go on with Postgres alone, where facts would be missing', () =>
    expect(start(undefined)).rejects.toMatchObject({ code: 'log.kept-on-kafka' }));

  it('starts again where it was', async () => {
    await running.pop()?.close();
    const module = await start(brokers);
    await module.get(PostgresLog).append(TOPIC, { subject: 'one' }, [note('5')], by());
    expect(await relayedAndApplied(module)).toMatchObject({ 'acme/one': '1 2 3 4 5' });
  });
});

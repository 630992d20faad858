import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../../test/support/kafka.js';
import { eventually } from '../../../../test/support/processes.js';
import { eventCatalog } from '../catalog.js';
import type { Fact } from '../event-log.js';
import { contractDefinitions } from '../log-contract.js';
import { projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';

const texts = projection('texts', 1, {
  topics: ['muster.device'],
  tables: ['p_texts_v1'],
  ddl: ['create table p_texts_v1 (text text primary key)'],
  apply: async (batch, tx) => {
    for (const { data } of batch)
      await tx.query('insert into p_texts_v1 values ($1)', [(data as { text: string }).text]);
  },
});
const noted = (text: string, n: number): Fact => ({
  subject: 'phone-1',
  context: { tenant: 'acme', actor: 'system:test', commandId: newId() },
  event: { type: 'FactNoted', data: { text } },
  sequence: { source: 'phone-1', epoch: 1, n },
});

describe.skipIf(!hasKafka())('producers whose clocks differ', () => {
  let k: KafkaInstallation;
  let now = 0;
  beforeAll(async () => {
    k = await kafkaInstallation(eventCatalog(contractDefinitions), { clock: { now: () => now } });
  });
  afterAll(() => k?.close());

  it('leave a prefix of each partition as what had been received by an instant', async () => {
    const other = await k.freshReader(); // a process of its own, whose clock is behind
    for (const [n, second, text, producer] of [
      [1, 10, 'first', k.writer],
      [2, 30, 'by the clock that is ahead', k.writer],
      [3, 20, 'by the clock that is behind', other],
    ] as const) {
      now = Date.UTC(2026, 10, 24, 12, 0, second);
      const append = () => producer.appendFacts('muster.device', [noted(text, n)]).then(() => true);
      await eventually('the new topic has leaders', () => append().catch(() => undefined));
    }
    const database = k.db.database('muster_projector', 6);
    const runner = new ProjectionRunner({ database, source: k.reader, projections: [texts] });
    await runner.prepare();
    const { schema, drop } = await runner.buildAsOf('texts', '2026-11-24T12:00:25Z');
    expect(await database.query(`select text from ${schema}.p_texts_v1`)).toEqual([{ text: 'first' }]);
    await drop();
  });
});

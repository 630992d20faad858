import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, systemClock } from '#runtime/index.js';
import { asyncApiJudge, type AsyncApiJudge } from '../../../test/support/asyncapi.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { asyncApi } from './asyncapi.js';
import { eventCatalog } from './catalog.js';
import { STORED_COLUMNS } from './envelope.js';
import type { Topic } from './event-log.js';
import { encodeRecord, type StoredText } from './kafka/kafka-record.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';

describe('a record of the log, as it goes to Kafka', () => {
  let db: TestDatabase;
  let judge: AsyncApiJudge;
  /** As they are stored: sealed. */
  let stored: (StoredText & { topic: Topic })[];

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const database = db.database('muster_campaign');
    const keyring = await Keyring.open({ database, kek: randomBytes(32) });
    const log = new PostgresLog({ database, keyring, clock: systemClock, events: eventCatalog(contractDefinitions) });
    const context = { tenant: 'acme', actor: 'system:test', commandId: newId(), causationId: newId() };
    const stream = { subject: 'one', expectedVersion: 0 };
    await log.append('muster.campaign', stream, [{ type: 'ThingNoted', data: { text: 'x', secret: 'y' } }], context);
    const sequence = { source: 'device:one', epoch: 1, n: 7 };
    const event = { type: 'FactNoted', data: { text: 'x', secret: 'z' } };
    await log.appendFacts('muster.device', [{ subject: 'one', context, event, sequence }]);
    const columns = STORED_COLUMNS.replace(/\bdata\b/, 'data::text as json');
    stored = await db
      .database('muster_tail')
      .transaction((tx) => tx.query(`select topic, ${columns} from log.record order by topic`));
    const about = { title: 'test', version: '1', description: 'test' };
    judge = asyncApiJudge(JSON.stringify(asyncApi(contractDefinitions, about)));
  });
  afterAll(() => db.drop());

  const found = (topic: Topic, logOffset?: number) => {
    const [record] = stored.filter((each) => each.topic === topic);
    const { key, headers, value } = encodeRecord(topic, record!, logOffset);
    return { topic, key, headers, payload: value };
  };

  it('is what the AsyncAPI document says, relayed or straight', () => {
    expect(judge.record(found('muster.campaign', 0))).toEqual([]);
    expect(judge.record(found('muster.device'))).toEqual([]);
  });

  it('would not be without its offset on a relayed topic, under another key, or with a personal value in plain', () => {
    const relayed = found('muster.campaign', 0);
    expect(judge.record(found('muster.campaign')).join()).toContain('log-offset');
    expect(judge.record({ ...relayed, key: 'one' }).join()).toContain('pattern');
    expect(judge.record({ ...relayed, payload: '{"text":"x","secret":"y"}' }).join()).toContain('secret');
    expect(judge.record({ ...relayed, topic: 'muster.device' })).toHaveLength(1);
  });
});

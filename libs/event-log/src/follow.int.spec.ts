import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import type { EventRecord, Position } from './event-log.js';
import { follow } from './follow.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';

describe('follow', () => {
  let db: TestDatabase;
  let log: PostgresLog;
  let tail: PostgresLog;

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const database = db.database('muster_campaign');
    const keyring = await Keyring.open({ database, kek: randomBytes(32) });
    const common = { events: eventCatalog(contractDefinitions), keyring, clock: systemClock };
    log = new PostgresLog({ database, ...common });
    tail = new PostgresLog({ database: db.database('muster_tail'), ...common });
  });
  afterAll(() => db.drop());

  const append = async (tenant: string, ...texts: string[]) => {
    for (const text of texts)
      await log.append('muster.campaign', { subject: 'one' }, [{ type: 'ThingNoted', data: { text } }], {
        tenant,
        actor: 'system:test',
        commandId: newId(),
      });
  };
  /** Follows until `count` records came; gives their texts and the position after them. */
  const take = async (count: number, from: Position, tenant?: string) => {
    const abort = new AbortController();
    const texts: string[] = [];
    let position = from;
    const options = { topics: ['muster.campaign'] as const, tenant, from, signal: abort.signal, batchSize: 2 };
    await follow(tail, options, async (batch: readonly EventRecord[], after) => {
      texts.push(...batch.map(({ data }) => (data as { text: string }).text));
      position = after;
      if (texts.length >= count) abort.abort();
    });
    return { texts, position };
  };

  it('hands over what is there and what comes, and goes on where it was', async () => {
    await append('acme', 'a', 'b', 'c');
    const first = take(5, {});
    await append('acme', 'd', 'e');
    const { texts, position } = await first;
    expect(texts).toEqual(['a', 'b', 'c', 'd', 'e']);
    const next = take(1, position);
    await append('acme', 'f');
    expect((await next).texts).toEqual(['f']);
  });

  it('hands over one tenant only when it is named', async () => {
    await append('umbrella', 'x', 'y', 'z');
    expect((await take(3, {}, 'umbrella')).texts).toEqual(['x', 'y', 'z']);
  });

  it('rejects with what the handler throws, so that its position stays', async () => {
    const options = { topics: ['muster.campaign'] as const, from: {}, signal: new AbortController().signal };
    const failing = follow(tail, options, async () => {
      throw new Error('not done');
    });
    await expect(failing).rejects.toThrow('not done');
  });

  it('rejects with log.gap what it cannot see below the head, and passes nothing by', async () => {
    await append('acme', 'unseen');
    const handled: Position[] = [];
    const options = { topics: ['muster.campaign'] as const, from: {}, signal: AbortSignal.timeout(5_000) };
    // An actor's role sees one tenant only: to a reader of all tenants its log is full of holes.
    const following = follow(log, options, async (_, after) => void handled.push(after));
    await expect(following).rejects.toMatchObject({ code: 'log.gap' });
    expect(handled).toEqual([]);
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import { Database } from './database.js';
import type { EventRecord, Position } from './event-log.js';
import { follow, type StandsAt } from './follow.js';
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

  it('stands still before a record that it cannot read, says where, and goes on by itself once it can', async () => {
    const topics = ['muster.campaign'] as const;
    const from = await tail.heads(topics);
    const superuser = new Database(db.superuserUrl, { max: 1 });
    const note = (subject: string, text: string) =>
      log.append('muster.campaign', { subject }, [{ type: 'ThingNoted', data: { text } }], {
        tenant: 'acme',
        actor: 'system:test',
        commandId: newId(),
      });
    await note('still', 'before');
    const { partition, firstOffset: offset } = await note('still', 'newer');
    await note('still', 'behind');
    await note('two', 'beside');
    const retype = (version: number) =>
      superuser.query(`update log.record set type = $1 where topic = 'muster.campaign' and part = $2 and off = $3`, [
        `muster.campaign.thing-noted.v${version}`,
        partition,
        offset,
      ]);
    await retype(9);
    const abort = new AbortController();
    const seen: string[] = [];
    const said: (readonly StandsAt[])[] = [];
    const came: (StandsAt | undefined)[] = [];
    const onStanding = (places: readonly StandsAt[], one?: StandsAt) => void (said.push(places), came.push(one));
    const following = follow(
      tail,
      { topics, from, signal: abort.signal, onStanding, standMs: 20 },
      async (batch) => void seen.push(...batch.map(({ data }) => (data as { text: string }).text)),
    );
    await vi.waitFor(() => expect(seen.toSorted()).toEqual(['before', 'beside']));
    await vi.waitFor(() => expect(said).toHaveLength(1));
    const place = { topic: 'muster.campaign', partition, offset, stream: 'acme/still' };
    const what = { type: 'muster.campaign.thing-noted.v9', fault: 'log.unknown-version' };
    expect([said, came]).toEqual([[[{ ...place, ...what }]], [{ ...place, ...what }]]);

    await retype(1);
    await vi.waitFor(() => expect(seen.slice(2)).toEqual(['newer', 'behind']));
    expect([said.at(-1), came.at(-1)]).toEqual([[], undefined]);
    abort.abort();
    await following;
    await superuser.end();
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

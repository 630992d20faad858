import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import type { Database, Tx } from './database.js';
import type { EventLog, EventRecord, Fact, Sequence, Topic } from './event-log.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { partitionOf } from './murmur2.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';
import { projection, tenantPolicy } from './projection.js';
import { LIVE, liveSchema } from './generation.js';
import { ProjectionBuild } from './projection-build.js';
import { ProjectionRunner } from './projection-runner.js';

const TOPICS = ['muster.campaign', 'muster.device'] as const;

/** What the projection under test cannot digest now. */
let poison: (text: string) => boolean = () => false;

/** Letters by stream: a count, which commutes, and the words of each stream in order, which is kept within a partition. */
const words = projection('words', 1, {
  topics: TOPICS,
  tables: ['p_words_stream_v1', 'p_words_tenant_v1'],
  ddl: [
    `create table p_words_stream_v1 (topic text, stream text, words text not null, primary key (topic, stream))`,
    `create table p_words_tenant_v1 (tenant text primary key, letters int not null)`,
    tenantPolicy('p_words_tenant_v1'),
  ],
  apply: async (batch, tx) => {
    for (const record of batch) await applyWord(record, tx);
  },
});

async function applyWord({ topic, stream, tenant, data }: EventRecord, tx: Tx): Promise<void> {
  const { text } = data as { text: string };
  await tx.query(
    `insert into p_words_stream_v1 as p values ($1, $2, $3)
     on conflict (topic, stream) do update set words = p.words || ' ' || excluded.words`,
    [topic, stream, text],
  );
  if (poison(text)) await tx.query('select 1 / 0');
  await tx.query(
    `insert into p_words_tenant_v1 as p values ($1, $2)
     on conflict (tenant) do update set letters = p.letters + excluded.letters`,
    [tenant, text.length],
  );
}

describe('projection runner', () => {
  let db: TestDatabase;
  let projector: Database;
  let writer: PostgresLog;
  let source: PostgresLog;
  let runner: ProjectionRunner;
  let now = Date.parse('2026-01-01T00:00:00Z');

  const by = (tenant: string) => ({ tenant, actor: 'system:test', commandId: newId() });
  const append = (subject: string, ...texts: string[]) =>
    writer.append(
      'muster.campaign',
      { subject },
      texts.map((text) => ({ type: 'ThingNoted', data: { text } })),
      by('acme'),
    );
  const fact = (subject: string, text: string, sequence?: Sequence, partition?: number): Fact => ({
    subject,
    context: by('acme'),
    event: { type: 'FactNoted', data: { text } },
    sequence,
    partition,
  });
  const facts = (...each: Fact[]) => writer.appendFacts('muster.device', each);
  const wordsOf = async (subject: string, schema = LIVE) => {
    const [row] = await projector.query<{ words: string }>(
      `select words from ${schema}.p_words_stream_v1 where stream = $1`,
      [`acme/${subject}`],
    );
    return row?.words;
  };
  const lettersOf = async (schema = LIVE) => {
    const [row] = await projector.query<{ letters: number }>(`select letters from ${schema}.p_words_tenant_v1`);
    return row?.letters;
  };
  const runnerOn = (log: EventLog) => new ProjectionRunner({ database: projector, source: log, projections: [words] });

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const actor = db.database('muster_campaign');
    projector = db.database('muster_projector', 8);
    const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
    const common = { events: eventCatalog(contractDefinitions), keyring, clock: { now: () => now } };
    writer = new PostgresLog({ database: actor, ...common });
    source = new PostgresLog({ database: projector, ...common });
  });
  beforeEach(async () => {
    poison = () => false;
    runner = runnerOn(source);
    await runner.start();
  });
  afterEach(() => runner.stop());
  afterAll(() => db.drop());

  it('applies what is appended, once, in the order of each stream', async () => {
    await append('one', 'a', 'b');
    await runner.whenCaughtUp();
    await append('one', 'c');
    await runner.whenCaughtUp();
    expect(await wordsOf('one')).toBe('a b c');
    expect(await runner.list()).toMatchObject([{ name: 'words', version: 1, lag: 0, parked: [], stopped: [] }]);
  });

  it('applies each record once when two runners work on it', async () => {
    await runner.stop(); // two others, which come to each batch at the same time
    const schema = (await liveSchema(projector, words)) ?? '';
    const two = [1, 2].map(() => new ProjectionBuild(words, schema, projector));
    for (const letter of 'abcdefgh') {
      const { partition, firstOffset } = await append('shared', letter);
      const batch = await source.readTolerantly('muster.campaign', partition, firstOffset, 1);
      await Promise.all(two.map((build) => build.apply(batch)));
    }
    expect(await wordsOf('shared')).toBe('a b c d e f g h');
  });

  it('drops facts that a source sent before, by epoch and number', async () => {
    const by1 = (epoch: number, n: number) => ({ source: 'device', epoch, n });
    await facts(fact('device', 'a', by1(1, 1)), fact('device', 'b', by1(1, 2)), fact('device', 'b', by1(1, 2)));
    await runner.whenCaughtUp();
    await facts(fact('device', 'a', by1(1, 1)), fact('device', 'c', by1(2, 1)), fact('device', 'x', by1(1, 3)));
    await runner.whenCaughtUp();
    expect(await wordsOf('device')).toBe('a b c');
  });

  it('keeps the facts of a source that numbers over several partitions', async () => {
    const numbered = (n: number, partition: number) =>
      fact('producer', String(n), { source: 'server-1', epoch: 1, n }, partition);
    await facts(numbered(1, 5), numbered(2, 0), numbered(3, 5));
    await runner.whenCaughtUp();
    expect((await wordsOf('producer'))?.split(' ').toSorted()).toEqual(['1', '2', '3']);
  });

  it('parks the stream of a poison event, lets all others go on, and replays it in order', async () => {
    poison = (text) => text === 'poison';
    const neighbour = neighbourOf('sick');
    await append('sick', 'before', 'poison', 'after');
    await append(neighbour, 'healthy');
    await append('sick', 'later');
    await runner.whenCaughtUp();
    await append('sick', 'last');
    await append(neighbour, 'still');
    await runner.whenCaughtUp();
    expect(await wordsOf('sick')).toBe('before');
    expect(await wordsOf(neighbour)).toBe('healthy still');
    expect((await runner.list())[0]?.parked).toMatchObject([
      { stream: 'acme/sick', events: 4, error: 'sqlstate 22012' },
    ]);

    await expect(runner.unpark('words', 'acme/sick')).rejects.toMatchObject({ code: 'projection.poison' });
    expect((await runner.list())[0]?.parked).toHaveLength(1);
    expect(await wordsOf('sick')).toBe('before');

    poison = () => false;
    await runner.unpark('words', 'acme/sick');
    await append('sick', 'well');
    await runner.whenCaughtUp();
    expect(await wordsOf('sick')).toBe('before poison after later last well');
    expect(await runner.verify('words')).toEqual({ equal: true });
    await expect(runner.unpark('words', 'acme/sick')).rejects.toMatchObject({ code: 'projection.not-parked' });
  });

  it('parks in a rebuild what is poison live, so that both stay equal', async () => {
    poison = (text) => text === 'venom';
    await append('bitten', 'a', 'venom', 'b');
    await runner.whenCaughtUp();
    expect(await runner.verify('words')).toEqual({ equal: true });
    await runner.rebuild('words');
    expect((await runner.list())[0]?.parked).toMatchObject([{ stream: 'acme/bitten', events: 2 }]);
    poison = () => false;
    await runner.unpark('words', 'acme/bitten');
  });

  it('names table, key and column of a corrupted cell, and of a row too many', async () => {
    await append('audited', 'a');
    await runner.whenCaughtUp();
    await projector.query(`update proj.p_words_stream_v1 set words = 'forged' where stream = 'acme/audited'`);
    await projector.query(`insert into proj.p_words_tenant_v1 values ('ghost', 1)`);
    expect(await runner.verify('words')).toEqual({
      equal: false,
      differences: [
        {
          table: 'p_words_stream_v1',
          key: { topic: 'muster.campaign', stream: 'acme/audited' },
          column: 'words',
          live: 'forged',
          rebuilt: 'a',
        },
        {
          table: 'p_words_tenant_v1',
          key: { tenant: 'ghost' },
          column: '*',
          live: { tenant: 'ghost', letters: 1 },
          rebuilt: null,
        },
      ],
    });
    await runner.rebuild('words');
    expect(await runner.verify('words')).toEqual({ equal: true });
  });

  it('rebuilds beside live traffic: views, grants and policies stay, nothing is lost or doubled', async () => {
    await projector.query('create view proj.watching as select * from proj.p_words_tenant_v1');
    const traffic = (async () => {
      for (let n = 0; n < 40; n += 1) await append('busy', String(n));
    })();
    await runner.rebuild('words');
    expect(await runner.verify('words')).toEqual({ equal: true });
    await traffic;
    await runner.whenCaughtUp();
    expect(await wordsOf('busy')).toBe(Array.from({ length: 40 }, (_, n) => n).join(' '));
    const insight = db.database('muster_insight');
    const see = (tenant: string) =>
      insight.inTenant(tenant, (tx) => tx.query('select tenant from proj.p_words_tenant_v1'));
    expect(await see('acme')).toEqual([{ tenant: 'acme' }]);
    expect(await see('umbrella')).toEqual([]);
    await projector.query('drop view proj.watching');
  });

  it('leaves no schema behind but that of the live tables', async () => {
    expect(await projector.query(SCHEMAS_BESIDE)).toEqual([]);
    expect(await projector.query(`select from pg_namespace where nspname like 'proj\\_live\\_%'`)).toHaveLength(1);
  });

  it('sweeps the copies whose owner was cut off, at the start and from time to time, and no other', async () => {
    await append('swept', 'a');
    const owners = [db.database('muster_projector', 4), db.database('muster_projector', 4)];
    const [kept, cut] = await Promise.all(
      owners.map((database) => new ProjectionRunner({ database, source, projections: [words] }).buildAsOf('words', {})),
    );
    const left = async () =>
      (await projector.query<{ name: string }>(SCHEMAS_BESIDE)).map(({ name }) => name).toSorted();
    const cutOff = (schema = '') =>
      projector.query(
        `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1
         and (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)`,
        [`muster.build/${schema}`],
      );
    await runner.prepare();
    expect(await left()).toEqual([kept?.schema, cut?.schema].toSorted());
    expect(await cutOff(cut?.schema)).toHaveLength(1);
    await expect.poll(async () => (await runner.prepare(), left())).toEqual([kept?.schema]);

    const sweeping = new ProjectionRunner({ database: projector, source, projections: [words], sweepMs: 20 });
    await sweeping.start();
    expect(await left()).toEqual([kept?.schema]);
    await cutOff(kept?.schema);
    await expect.poll(left).toEqual([]);
    await sweeping.stop();
    for (const copy of [kept, cut]) await copy?.drop();
  });

  it('shows the past at a position and at an instant', async () => {
    await append('history', 'a');
    const position = await source.heads();
    now += 60_000;
    const instant = new Date(now).toISOString();
    await append('history', 'b');
    now += 60_000;
    await append('history', 'c');
    for (const [at, expected] of [
      [position, 'a'],
      [instant, 'a b'],
      [await source.heads(), 'a b c'],
    ] as const) {
      const copy = await runner.buildAsOf('words', at);
      expect(await wordsOf('history', copy.schema)).toBe(expected);
      await copy.drop();
    }
  });

  it('stops the partition with a missing record, and no other', async () => {
    await runner.stop();
    const hidden = partitionOf('acme/hidden');
    const holed: EventLog = Object.assign(Object.create(source) as PostgresLog, {
      readTolerantly: async (topic: Topic, partition: number, from: number, limit: number) => {
        const records = await source.readTolerantly(topic, partition, from, limit);
        return partition === hidden && topic === 'muster.campaign' ? records.slice(1) : records;
      },
    });
    await append('hidden', 'a', 'b');
    await append(strangerOf('hidden'), 'seen');
    runner = runnerOn(holed);
    await runner.start();
    await expect(runner.whenCaughtUp()).rejects.toMatchObject({ code: 'log.gap' });
    await expect.poll(() => wordsOf(strangerOf('hidden'))).toBe('seen');
    expect(await wordsOf('hidden')).toBeUndefined();
    expect((await runner.list())[0]?.stopped).toEqual([`muster.campaign/${hidden}`]);
    await runner.stop();
    runner = runnerOn(source);
    await runner.start();
    await runner.whenCaughtUp();
    expect(await wordsOf('hidden')).toBe('a b');
  });

  it('swaps in no rebuild of a log whose end is missing', async () => {
    await append('ending', 'a', 'b');
    await runner.whenCaughtUp();
    const ending = partitionOf('acme/ending');
    const cut: EventLog = Object.assign(Object.create(source) as PostgresLog, {
      readTolerantly: async (topic: Topic, partition: number, from: number, limit: number) =>
        partition === ending ? [] : source.readTolerantly(topic, partition, from, limit),
    });
    await expect(runnerOn(cut).rebuild('words')).rejects.toMatchObject({ code: 'log.gap' });
    expect(await wordsOf('ending')).toBe('a b');
  });

  it('gives the same tables whatever the interleaving of partitions and the cuts of batches', async () => {
    await runner.whenCaughtUp();
    const live = [await lettersOf(), await wordsOf('busy'), await wordsOf('device'), await wordsOf('history')];
    const heads = Object.entries(await source.heads(TOPICS));
    const plan = fc.tuple(
      fc.shuffledSubarray(heads, { minLength: heads.length }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(9),
    );
    let made = 0;
    await fc.assert(
      fc.asyncProperty(plan, async ([order, cut, again]) => {
        const build = new ProjectionBuild(words, `proj_shadow_test_${(made += 1)}`, projector);
        await build.create();
        const next = new Map(order.map(([key]) => [key, 0]));
        while (next.size > 0)
          for (const [key, head] of order) {
            const from = next.get(key);
            if (from === undefined) continue;
            const [topic = '', partition = ''] = key.split('/');
            // A part of the last batch comes again, as after a restart.
            const records = await source.read(
              topic as Topic,
              Number(partition),
              Math.max(0, from - again),
              cut + again,
            );
            const reached = records.length === 0 ? head : await build.apply(records);
            if (reached >= head) next.delete(key);
            else next.set(key, reached);
          }
        const { schema } = build;
        const made1 = [await lettersOf(schema), await wordsOf('busy', schema), await wordsOf('device', schema)];
        expect([...made1, await wordsOf('history', schema)]).toEqual(live);
        await build.drop();
      }),
      { numRuns: 6 },
    );
  });

  it('refuses a projection nobody defined with projection.unknown', async () => {
    await expect(runner.verify('nothing')).rejects.toMatchObject({ code: 'projection.unknown' });
  });
});

const SCHEMAS_BESIDE = `select nspname as name from pg_namespace where nspname ~ '^proj_(shadow|asof)_'`;

/** Another subject in the same partition of acme. */
const neighbourOf = (subject: string): string =>
  find((each) => partitionOf(`acme/${each}`) === partitionOf(`acme/${subject}`));
/** A subject in another partition. */
const strangerOf = (subject: string): string =>
  find((each) => partitionOf(`acme/${each}`) !== partitionOf(`acme/${subject}`));

function find(fits: (subject: string) => boolean): string {
  for (let n = 0; ; n += 1) if (fits(`other-${n}`)) return `other-${n}`;
}

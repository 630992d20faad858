import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainError, newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { defineEvents, eventCatalog } from './catalog.js';
import type { Decider } from './decider.js';
import type { EventContext } from './event-log.js';
import { execute } from './execute.js';
import { Keyring } from './keyring.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';
import { goldenSamples, specify } from './testing.js';

type Counted = { type: 'Counted'; data: { by: number } };
const counter: Decider<number, number, Counted> = {
  topic: 'muster.campaign',
  initial: 0,
  decide: (state, by) => {
    if (state + by < 0) throw new DomainError('counter.negative');
    return by === 0 ? [] : [{ type: 'Counted', data: { by } }];
  },
  evolve: (state, event) => state + event.data.by,
};
const schema = { type: 'object', required: ['by'], properties: { by: { type: 'integer' } } };
const definitions = [
  defineEvents<Counted>('muster.campaign', { Counted: { version: 1, schema, samples: [{ v: 1, data: { by: 1 } }] } }),
];

goldenSamples(definitions);

describe('a decider', () => {
  const given = specify(counter);
  const counted = (by: number): Counted => ({ type: 'Counted', data: { by } });
  it('answers a command with facts', () => given(counted(2)).when(3).then(counted(3)));
  it('answers what is already so with nothing', () => given().when(0).thenNothing());
  it('refuses with counter.negative', () => given(counted(2)).when(-3).thenRefused('counter.negative'));
});

describe('execute', () => {
  let db: TestDatabase;
  let log: PostgresLog;
  const by = (commandId = newId()): EventContext => ({ tenant: 'acme', actor: 'system:test', commandId });
  const count = (subject: string, number: number, context = by(), expectedVersion?: number) =>
    execute(log, counter, { subject, expectedVersion }, number, context);

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const database = db.database('muster_campaign', 8);
    const keyring = await Keyring.open({ database, kek: randomBytes(32) });
    log = new PostgresLog({ database, events: eventCatalog(definitions), keyring, clock: systemClock });
  });
  afterAll(() => db.drop());

  it('folds what is stored, decides and appends', async () => {
    await count('folds', 2);
    expect(await count('folds', 3)).toMatchObject({ state: 5, version: 2, events: [{ data: { by: 3 } }] });
    expect(await count('folds', 0)).toEqual({ state: 5, version: 2, events: [] });
    await expect(count('folds', -6)).rejects.toMatchObject({ code: 'counter.negative' });
  });

  it('answers a repeated command with its first result, whatever came after', async () => {
    const context = by();
    const first = await count('repeats', 1, context);
    await count('repeats', 1);
    expect(await count('repeats', 1, context)).toEqual(first);
  });

  it('decides again when another writer was first', async () => {
    await Promise.all([1, 2, 3].map((number) => count('races', number)));
    expect(await count('races', 0)).toMatchObject({ state: 6, version: 3 });
  });

  it('refuses a stale version with log.version-conflict instead of deciding again', async () => {
    await count('stale', 1);
    await expect(count('stale', 1, by(), 0)).rejects.toMatchObject({
      code: 'log.version-conflict',
      details: { expected: 0, actual: 1 },
    });
    expect(await count('stale', 1, by(), 1)).toMatchObject({ state: 2 });
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testDatabase, type TestDatabase } from '../../../test/support/database.js';
import { idempotencyMigrations, PostgresIdempotency } from './idempotency.js';

let database: TestDatabase;
let store: PostgresIdempotency;
let now = Date.parse('2026-01-01T00:00:00Z');
beforeAll(async () => {
  database = await testDatabase(idempotencyMigrations);
  store = new PostgresIdempotency(database.database('muster_campaign'), { now: () => now }, randomBytes(32));
});
afterAll(() => database.drop());

const answer = { status: 201, body: { token: 'shown-once' } };

describe('kept answers', () => {
  it('give the first claim the right to answer, later ones the answer', async () => {
    const scope = { tenant: 'acme', id: 'a' };
    expect(await store.claim(scope, 'h')).toEqual({ state: 'claimed' });
    expect(await store.claim(scope, 'h')).toEqual({ state: 'in-flight' });
    await store.finish(scope, answer);
    expect(await store.claim(scope, 'h')).toEqual({ state: 'answered', bodyHash: 'h', answer });
  });

  it('are not readable in the database', async () => {
    const [row] = await database
      .database('muster_campaign')
      .inTenant('acme', (tx) => tx.query<{ answer: Buffer; body_hash: string }>('select * from ops.idempotency'));
    expect(row?.answer.toString('latin1')).not.toContain('shown-once');
    expect(row?.body_hash).not.toBe('h'); // a password in the body could be guessed by its hash
  });

  it('belong to one tenant', async () => {
    expect(await store.claim({ tenant: 'other', id: 'a' }, 'h')).toEqual({ state: 'claimed' });
  });

  it('claim again after a refusal, or when the claimant was gone for a minute', async () => {
    const scope = { tenant: 'acme', id: 'b' };
    await store.claim(scope, 'h');
    await store.release(scope);
    expect(await store.claim(scope, 'h')).toEqual({ state: 'claimed' });
    now += 61_000;
    expect(await store.claim(scope, 'h')).toEqual({ state: 'claimed' });
  });

  it('are forgotten after 24 hours', async () => {
    now += 24 * 3_600_000;
    expect(await store.claim({ tenant: 'acme', id: 'a' }, 'h')).toEqual({ state: 'claimed' });
  });
});

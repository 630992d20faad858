import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import type { Database, Tx } from './database.js';
import { KnownRows, notesChanges } from './known-rows.js';

/** Longer than what is known may be old. */
const AGE_MS = 1_000;

class CreateThing1769999999999 {
  async up(db: { query(sql: string): Promise<unknown> }): Promise<void> {
    await db.query(`create table ops.thing (tenant text, device_id uuid, word text, primary key (tenant, device_id))`);
    await db.query(`alter table ops.thing enable row level security, force row level security`);
    await db.query(`create policy own_tenant on ops.thing using (tenant = current_setting('muster.tenant', true))`);
    for (const statement of notesChanges('ops.thing')) await db.query(statement);
  }

  async down(): Promise<void> {}
}

describe('what is known of rows', () => {
  let db: TestDatabase;
  let writer: Database;
  let tail: Database;
  let known: KnownRows<string>;
  let isAway = false;
  beforeAll(async () => {
    db = await testDatabase([CreateThing1769999999999]);
    writer = db.database('muster_campaign');
    tail = db.database('muster_tail');
  });
  afterAll(() => db.drop());
  beforeEach(() => {
    isAway = false;
    const query: Tx['query'] = (...args) => (isAway ? Promise.reject(new Error('away')) : tail.query(...args));
    known = new KnownRows({ database: { query }, tables: ['ops.thing'], atMost: 10 });
  });

  const newRow = () => ({ tenant: 'acme', deviceId: newId() });
  type Row = ReturnType<typeof newRow>;

  /** As another process writes. */
  const write = (
    { tenant, deviceId }: Row,
    word: string,
    before: (tx: Tx) => Promise<unknown> = async () => undefined,
  ) =>
    writer.inTenant(tenant, async (tx) => {
      await tx.query(
        'insert into ops.thing values ($1, $2, $3) on conflict (tenant, device_id) do update set word = $3',
        [tenant, deviceId, word],
      );
      await before(tx);
    });

  const load = ({ tenant, deviceId }: Row) =>
    writer.inTenant(tenant, async (tx) => {
      const [row] = await tx.query<{ word: string }>('select word from ops.thing where device_id = $1', [deviceId]);
      return row?.word ?? 'none';
    });
  /** As all do who ask: what is known, or else what is read. */
  const ask = async (row: Row) => known.get(row) ?? known.read(row, () => load(row));
  /** Asks until it is known without reading. */
  const settle = async (row: Row) => {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const found = known.get(row);
      if (found !== undefined) return found;
      await known.read(row, () => load(row));
      await sleep(10);
    }
    throw new Error('never known');
  };

  /** What is known without reading, now or as soon as the next look is done. */
  const knownSoon = async (row: Row) => {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      const found = known.get(row);
      if (found !== undefined) return found;
      await sleep(10);
    }
    throw new Error('not known');
  };

  it('is read once, and not again while nothing changes', async () => {
    const row = newRow();
    await write(row, 'first');
    expect(await settle(row)).toBe('first');
    for (let i = 0; i < 10; i += 1) {
      await sleep(200);
      expect(await knownSoon(row)).toBe('first');
    }
  });

  it('is never older than a second when another process has changed it', async () => {
    const [row, other] = [newRow(), newRow()];
    await write(row, 'first');
    await settle(row);
    await settle(other);
    await write(row, 'second');
    await sleep(AGE_MS);
    expect(await ask(row)).toBe('second');
    expect(await knownSoon(other)).toBe('none'); // and what did not change is still known
  });

  it('shows a change that was committed behind later ones', async () => {
    const [slow, fast] = [newRow(), newRow()];
    await settle(slow);
    await settle(fast);
    await write(slow, 'slow', async () => {
      await write(fast, 'fast');
      await sleep(AGE_MS);
      expect([await ask(fast), await ask(slow)]).toEqual(['fast', 'none']);
      await sleep(AGE_MS);
      expect([await settle(fast), await settle(slow)]).toEqual(['fast', 'none']);
    });
    await sleep(AGE_MS);
    expect(await ask(slow)).toBe('slow');
  });

  it('is forgotten at once when this process says that it changed it', async () => {
    const row = newRow();
    await settle(row);
    await write(row, 'mine');
    known.changed(row);
    expect(known.get(row)).toBeUndefined();
    expect(await ask(row)).toBe('mine');
  });

  it('is not kept when a change came while it was read', async () => {
    const row = newRow();
    await settle(row);
    const read = await known.read(row, async () => {
      const found = await load(row);
      await write(row, 'newer');
      known.changed(row);
      return found;
    });
    expect(read).toBe('none');
    expect(known.get(row)).toBeUndefined();
  });

  it('is nothing after a second in which nobody asked, or nobody could be asked', async () => {
    const row = newRow();
    await settle(row);
    await sleep(AGE_MS);
    expect(known.get(row)).toBeUndefined();
    await settle(row);
    isAway = true;
    for (let i = 0; i < 11; i += 1) {
      known.get(row);
      await sleep(100);
    }
    expect(known.get(row)).toBeUndefined();
    await write(row, 'meanwhile');
    isAway = false;
    expect(await settle(row)).toBe('meanwhile');
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asTrial, currentTrial, inEarnest } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { afterCommit, Database, type Tx } from './database.js';

describe('a trial', () => {
  let db: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    db = await testDatabase();
    database = new Database(db.superuserUrl, { max: 3 });
    await database.query('create table note (tenant text, text text)');
  });
  beforeEach(() => database.query('truncate note'));
  afterAll(async () => {
    await database.end();
    await db.drop();
  });

  const write = (tx: Tx, text: string) =>
    tx.query(`insert into note values (current_setting('muster.tenant', true), $1)`, [text]);
  const texts = async (tx: Tx = database) =>
    (await tx.query<{ tenant: string; text: string }>('select * from note order by text')).map(
      ({ tenant, text }) => `${tenant}/${text}`,
    );
  const add = (text: string, tenant = 'acme') => database.inTenant(tenant, (tx) => write(tx, text));

  it('sees what it did, and leaves nothing of it', async () => {
    const seen = await asTrial(async () => {
      await add('one');
      await add('two', 'beta');
      return database.inTenant('acme', texts);
    });
    expect(seen).toEqual(['acme/one', 'beta/two']);
    expect(await texts()).toEqual([]);
  });

  it('leaves nothing when it fails, and no hook of a commit runs', async () => {
    let ran = false;
    const failing = asTrial(() =>
      database.inTenant('acme', async (tx) => {
        afterCommit(tx, () => (ran = true));
        await write(tx, 'one');
        throw new Error('refused');
      }),
    );
    await expect(failing).rejects.toThrow('refused');
    await asTrial(() => database.inTenant('acme', async (tx) => afterCommit(tx, () => (ran = true))));
    expect([await texts(), ran]).toEqual([[], false]);
  });

  it('goes on behind a transaction of its own that failed, without what that had done', async () => {
    const seen = await asTrial(async () => {
      await add('one');
      await database.inTenant('acme', (tx) => write(tx, 'two').then(() => tx.query('select nothing'))).catch(() => 0);
      return database.inTenant('acme', texts);
    });
    expect(seen).toEqual(['acme/one']);
  });

  it('lets a transaction begin within another, which is in its own tenant again afterwards', async () => {
    const seen = await asTrial(() =>
      database.inTenant('acme', async (tx) => {
        await add('inner', 'beta');
        await write(tx, 'outer');
        return texts(tx);
      }),
    );
    expect(seen).toEqual(['beta/inner', 'acme/outer']);
  });

  it('takes turns with itself', async () => {
    const seen = await asTrial(async () => {
      await Promise.all(['a', 'b', 'c', 'd'].map((text) => add(text)));
      return database.inTenant('acme', texts);
    });
    expect(seen).toHaveLength(4);
    expect(await texts()).toEqual([]);
  });

  it('gives way to who has a lock', async () => {
    await add('kept');
    await database.inTenant('acme', async (tx) => {
      await tx.query(`update note set text = 'locked'`);
      const tried = asTrial(() => database.inTenant('acme', (on) => on.query(`update note set text = 'tried'`)));
      await expect(tried).rejects.toMatchObject({ code: 'log.unavailable' });
    });
    expect(await texts()).toEqual(['acme/locked']);
  });

  it('lets nothing in that outlives it, and is left by what is made once for all', async () => {
    let late: Promise<unknown> = Promise.resolve();
    await asTrial(async () => {
      const inside = currentTrial();
      expect(inEarnest(currentTrial)).toBeUndefined();
      await inEarnest(() => add('earnest'));
      expect(currentTrial()).toBe(inside);
      late = new Promise((resolve) => setTimeout(resolve, 10)).then(() => add('late'));
      late.catch(() => undefined);
    });
    await expect(late).rejects.toThrow('over');
    expect(await texts()).toEqual(['acme/earnest']);
  });

  it('gives its connections back', async () => {
    for (let i = 0; i < 10; i += 1) await asTrial(() => add(`${i}`));
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });
});

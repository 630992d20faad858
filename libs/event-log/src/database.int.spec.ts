import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { copyIn, Database } from './database.js';

describe('a database', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.drop());

  const away = { code: 'log.unavailable' };

  it('answers log.unavailable where nobody listens', async () => {
    const nowhere = new Database('postgres://muster_campaign@127.0.0.1:1/nowhere');
    await expect(nowhere.query('select 1')).rejects.toMatchObject(away);
    await expect(nowhere.transaction((tx) => tx.query('select 1'))).rejects.toMatchObject(away);
    await expect(nowhere.inTenant('acme', (tx) => tx.query('select 1'))).rejects.toMatchObject(away);
    await nowhere.end();
  });

  it('answers log.unavailable for a connection that is cut while it works', async () => {
    const database = db.database('muster_campaign', 2);
    const cut = 'select pg_terminate_backend(pg_backend_pid())';
    await expect(database.query(cut)).rejects.toMatchObject(away);
    await expect(database.transaction((tx) => tx.query(cut))).rejects.toMatchObject(away);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('answers log.unavailable when the connection is lost between two statements', async () => {
    const database = db.database('muster_campaign', 2);
    const losing = database.transaction(async (tx) => {
      const [own] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await database.query('select pg_terminate_backend($1)', [own?.pid]);
      await expect.poll(() => database.query('select 1 from pg_stat_activity where pid = $1', [own?.pid])).toEqual([]);
      await tx.query('select 1');
    });
    await expect(losing).rejects.toMatchObject(away);
  });

  it.each([
    ['that is cut', `perform pg_terminate_backend(pg_backend_pid())`, false],
    ['with no room left', `raise sqlstate '53100'`, true],
    ['that takes too long', `raise sqlstate '57014'`, false],
  ])('answers log.unavailable for a copy %s', async (_how, happens, isFull) => {
    const database = new Database(db.superuserUrl, { max: 1 });
    const copying = database.transaction(async (tx) => {
      await tx.query('create temp table copied (n int) on commit drop');
      await tx.query(`create function pg_temp.fails() returns trigger language plpgsql as
        $$ begin ${happens}; return new; end $$`);
      await tx.query('create trigger fails before insert on copied for each row execute function pg_temp.fails()');
      await copyIn(tx, 'copy copied (n) from stdin', '1\n2\n');
    });
    await expect(copying).rejects.toMatchObject(away);
    expect(database.wasFull(60_000)).toBe(isFull);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.end();
  });

  it('copies what it is given, and leaves the refusal of a copy as it is', async () => {
    const copied = (text: string) =>
      db.owner.transaction(async (tx) => {
        await tx.query('create temp table copied (n int) on commit drop');
        await copyIn(tx, 'copy copied (n) from stdin', text);
        return tx.query('select n from copied order by n');
      });
    expect(await copied('1\n2\n')).toEqual([{ n: 1 }, { n: 2 }]);
    await expect(copied('one\n')).rejects.toMatchObject({ code: '22P02' });
  });

  it.each(['acme', "o'neil", '\\', "'; rollback; --"])(
    'is in the tenant %j until the transaction ends',
    async (tenant) => {
      const database = db.database('muster_campaign', 1);
      const setting = `select current_setting('muster.tenant', true) as tenant`;
      expect(await database.inTenant(tenant, (tx) => tx.query(setting))).toEqual([{ tenant }]);
      const [after] = await database.query<{ tenant: string | null }>(setting);
      expect(after?.tenant ?? '').toBe('');
      await expect(database.inTenant('a\0b', (tx) => tx.query(setting))).rejects.toThrow('U+0000');
    },
  );

  it('leaves the refusal of a statement as it is', async () => {
    const database = db.database('muster_campaign', 1);
    await expect(database.query('select 1 / 0')).rejects.toMatchObject({ code: '22012' });
  });
});

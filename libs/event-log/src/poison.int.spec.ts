import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Log, newId, silentLog, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { lockRebuild } from './build-lock.js';
import { defineEvents, eventCatalog } from './catalog.js';
import { Database } from './database.js';
import { Keyring } from './keyring.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { passOver } from './passed-over.js';
import { PostgresLog } from './postgres-log.js';
import { projection } from './projection.js';
import { ProjectionRunner } from './projection-runner.js';
import type { Unparked } from './unpark.js';

const TOPIC = 'muster.handset';
const AT = '2026-11-24T16:00:00.000Z';
const schema = {
  type: 'object',
  properties: { text: { type: 'string' }, secret: { type: 'string', 'x-personal': true } },
};
const sample = { text: '' };
/** As the events were written … */
const written = defineEvents(TOPIC, {
  Noted: { version: 1, schema, samples: [{ v: 1, data: sample }] },
  SubjectForgotten: { version: 1, schema, samples: [{ v: 1, data: sample }] },
});
let isBroken = false;
/** … and as a later program reads them, whose upcaster cannot digest every old event. */
const readBack = defineEvents(TOPIC, {
  ...written.events,
  Noted: {
    version: 2,
    schema,
    upcast: {
      1: (data) => {
        if (isBroken && data.text === 'unforeseen') throw new TypeError(`cannot read ${String(data.secret)}`);
        return data;
      },
    },
    samples: [1, 2].map((v) => ({ v, data: sample })),
  },
});

let poison = '';
const notes = projection('notes', 1, {
  topics: [TOPIC],
  tables: ['p_notes_v1'],
  ddl: [
    'create table p_notes_v1 (stream text primary key, words text not null, secret text check (secret <> $$bad$$))',
  ],
  apply: async (batch, tx) => {
    for (const { type, stream, data } of batch) {
      const { text, secret = null } = data as { text?: string; secret?: string | null };
      if (type === 'SubjectForgotten')
        await tx.query('update p_notes_v1 set secret = null where stream = $1', [stream]);
      else if (type === 'Noted')
        await tx.query(
          `insert into p_notes_v1 as p values ($1, $2, $3)
           on conflict (stream) do update set words = p.words || ' ' || excluded.words, secret = excluded.secret`,
          [stream, text, text === poison ? 'bad' : secret],
        );
    }
  },
});

describe('a poison event', () => {
  let db: TestDatabase;
  let actor: Database;
  let projector: Database;
  let superuser: Database;
  let keyring: Keyring;
  let writer: PostgresLog;
  let runner: ProjectionRunner;
  const said: Record<string, unknown>[] = [];
  const hear = (event: string, fields: object = {}) => void said.push({ event, ...fields });
  const log: Log = { ...silentLog, warn: hear, error: hear };

  const append = (subject: string, text: string, secret?: string, type = 'Noted') =>
    writer.append(TOPIC, { subject }, [{ type, data: { text, secret } }], {
      tenant: 'acme',
      actor: 'system:test',
      commandId: newId(),
    });
  const noteOf = async (subject: string) =>
    (await projector.query('select words, secret from proj.p_notes_v1 where stream = $1', [`acme/${subject}`]))[0];
  const parked = async () => (await runner.list())[0]?.parked;

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    superuser = new Database(db.superuserUrl, { max: 1 });
    actor = db.database('muster_campaign');
    projector = db.database('muster_projector', 8);
    const kek = randomBytes(32);
    keyring = await Keyring.open({ database: actor, kek });
    writer = new PostgresLog({ database: actor, keyring, clock: systemClock, events: eventCatalog([written]) });
    // Another process: it may have in its cache what this one forgets.
    const others = await Keyring.open({ database: actor, kek });
    const source = new PostgresLog({
      database: projector,
      keyring: others,
      clock: systemClock,
      events: eventCatalog([readBack]),
    });
    runner = new ProjectionRunner({ database: projector, source, projections: [notes], log });
  });
  beforeEach(() => {
    isBroken = false;
    poison = '';
    return runner.start();
  });
  afterEach(() => runner.stop());
  afterAll(async () => {
    await superuser.end();
    await db.drop();
  });

  it('that no upcaster can read parks its stream alone, with its place and code, and is replayed in order', async () => {
    isBroken = true;
    await append('old', 'a');
    const { partition, firstOffset } = await append('old', 'unforeseen', 'Ann');
    await append('old', 'b');
    await append('other', 'healthy');
    await runner.whenCaughtUp();
    expect(await noteOf('other')).toMatchObject({ words: 'healthy' });
    expect(await noteOf('old')).toMatchObject({ words: 'a' });
    expect(await parked()).toEqual([
      { topic: TOPIC, partition, stream: 'acme/old', fromOffset: firstOffset, error: 'log.unreadable', events: 2 },
    ]);
    expect(await runner.verify('notes')).toEqual({ equal: true });
    await expect(runner.unpark('notes', 'acme/old')).rejects.toMatchObject({ code: 'projection.poison' });

    isBroken = false;
    await runner.unpark('notes', 'acme/old');
    expect(await noteOf('old')).toMatchObject({ words: 'a unforeseen b' });
  });

  it('of a version that is not known yet parks its stream with an alarm, and its replay after an upgrade ends as a rebuild', async () => {
    await runner.stop();
    await append('newer', 'a');
    const { partition, firstOffset: offset } = await append('newer', 'b');
    const retype = (version: number) =>
      superuser.query('update log.record set type = $1 where topic = $2 and part = $3 and off = $4', [
        `muster.handset.noted.v${version}`,
        TOPIC,
        partition,
        offset,
      ]);
    await retype(3);
    await append('newer', 'c');
    await append('steady', 'a');
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('newer')).toMatchObject({ words: 'a' });
    expect(await noteOf('steady')).toMatchObject({ words: 'a' });
    expect(await parked()).toMatchObject([{ stream: 'acme/newer', fromOffset: offset, events: 2 }]);
    const place = { projection: 'notes', topic: TOPIC, partition, offset, stream: 'acme/newer' };
    const cause = { type: 'muster.handset.noted.v3', error: 'log.unknown-version' };
    expect(said).toContainEqual({ event: 'projection.parked', ...place, ...cause });

    await retype(2); // as if this program knew it now
    expect(await runner.verify('notes')).toMatchObject({ equal: false });
    await runner.unpark('notes', 'acme/newer');
    expect(await noteOf('newer')).toMatchObject({ words: 'a b c' });
    expect(await runner.verify('notes')).toEqual({ equal: true });
  });

  it('with a field of a later release is none: the field is ignored', async () => {
    await runner.stop();
    await append('later', 'a');
    await superuser.query(`update log.record set data = '{"text":"a","later":{"than":1}}' where stream = 'acme/later'`);
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('later')).toMatchObject({ words: 'a' });
    expect(await parked()).toEqual([]);
  });

  it('of an unknown type is none: it is passed by, and told with its place', async () => {
    await runner.stop();
    const { partition, firstOffset: offset } = await append('sung', 'a');
    const type = 'muster.handset.sung.v1';
    await superuser.query(`update log.record set type = $1 where stream = 'acme/sung'`, [type]);
    await append('sung', 'b');
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('sung')).toMatchObject({ words: 'b' });
    expect(await parked()).toEqual([]);
    const place = { projection: 'notes', topic: TOPIC, partition, offset };
    expect(said).toContainEqual({ event: 'projection.passed-by', ...place, type, count: 1 });
  });

  it('whose data is no object parks its stream', async () => {
    await runner.stop();
    await append('corrupt', 'a');
    await superuser.query(`update log.record set data = '"torn"' where stream = 'acme/corrupt'`);
    await append('sound', 'a');
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('sound')).toMatchObject({ words: 'a' });
    expect(await parked()).toMatchObject([{ stream: 'acme/corrupt', error: 'log.unreadable', events: 1 }]);
    await superuser.query(`update log.record set data = '{"text":"mended"}' where stream = 'acme/corrupt'`);
    await runner.unpark('notes', 'acme/corrupt');
    expect(await noteOf('corrupt')).toMatchObject({ words: 'mended' });
  });

  it('whose key is corrupt parks its stream, and no other with sealed fields', async () => {
    await runner.stop();
    await append('keyless', 'a', 'Ann');
    await append('keyed', 'a', 'Bob');
    const key = `from ops.keyring where purpose = 'subject' and id = 'keyless'`;
    const [kept] = await superuser.query<{ wrapped: Buffer }>(`select wrapped ${key}`);
    const wrap = (wrapped?: Buffer) =>
      superuser.query(`update ops.keyring set wrapped = $1 where purpose = 'subject' and id = 'keyless'`, [wrapped]);
    await wrap(randomBytes(60));
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('keyed')).toEqual({ words: 'a', secret: 'Bob' });
    expect(await parked()).toMatchObject([{ stream: 'acme/keyless', error: 'keyring.kek-wrong', events: 1 }]);
    await wrap(kept?.wrapped);
    await runner.unpark('notes', 'acme/keyless');
    expect(await noteOf('keyless')).toEqual({ words: 'a', secret: 'Ann' });
  });

  it('lets the erasure of its subject through, and its replay brings nothing personal back', async () => {
    poison = 'venom';
    await append('ann', 'a', 'Ann Smith');
    await append('ann', 'venom', 'Ann Smith');
    await runner.whenCaughtUp();
    expect(await noteOf('ann')).toEqual({ words: 'a', secret: 'Ann Smith' });

    await append('ann', 'c', 'Ann Smith');
    await keyring.forget('acme', 'ann');
    await append('ann', '', undefined, 'SubjectForgotten');
    await runner.whenCaughtUp();
    expect(await noteOf('ann')).toEqual({ words: 'a', secret: null });
    expect(await parked()).toMatchObject([{ stream: 'acme/ann', events: 3 }]);

    poison = '';
    await runner.unpark('notes', 'acme/ann');
    expect(await noteOf('ann')).toEqual({ words: 'a venom c', secret: null });
    expect(await runner.verify('notes')).toEqual({ equal: true });
  });

  it('lets an erasure through that comes in the same batch', async () => {
    await runner.stop();
    poison = 'venom';
    await append('bea', 'a', 'Bea');
    await append('bea', 'venom', 'Bea');
    await append('bea', '', undefined, 'SubjectForgotten');
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noteOf('bea')).toEqual({ words: 'a', secret: null });
    poison = '';
    await runner.unpark('notes', 'acme/bea');
  });

  it('is told by codes and names alone, which quote no value', async () => {
    poison = 'venom';
    await append('told', 'venom', 'canary-4711');
    await runner.whenCaughtUp();
    const [told] = (await parked()) ?? [];
    expect(told?.error).toBe('sqlstate 23514, table p_notes_v1, constraint p_notes_v1_secret_check');
    poison = '';
    await runner.unpark('notes', 'acme/told');
  });

  const discards = (because: string, decided: Unparked[]) => ({
    discards: true,
    decide: (unparked: Unparked) => {
      decided.push(unparked);
      const decision = { projection: 'notes', stream: 'acme/any', tenant: 'acme', reason: because, decidedAt: AT };
      return actor.inTenant('acme', (tx) =>
        passOver(tx, { ...decision, version: unparked.version }, unparked.passedOver),
      );
    },
  });

  it('that nobody can repair is passed over by a decision, which every rebuild keeps to', async () => {
    poison = 'ruin';
    await append('lost', 'a');
    const { partition, firstOffset: offset } = await append('lost', 'ruin', 'Leo');
    await append('lost', 'b');
    await runner.whenCaughtUp();
    const decided: Unparked[] = [];
    await runner.unpark('notes', 'acme/lost', discards('no copy left', decided));
    const error = 'sqlstate 23514, table p_notes_v1, constraint p_notes_v1_secret_check';
    const passedOver = [{ topic: TOPIC, partition, offset, error }];
    expect(decided).toEqual([{ version: 1, applied: 1, passedOver }]);
    expect(await parked()).toEqual([]);
    expect(await noteOf('lost')).toMatchObject({ words: 'a b' });
    expect(await runner.verify('notes')).toEqual({ equal: true });

    poison = ''; // repaired after all: the decision stands, or live and rebuilt would differ
    expect(await runner.verify('notes')).toEqual({ equal: true });
    await runner.rebuild('notes');
    expect(await noteOf('lost')).toMatchObject({ words: 'a b' });
    expect(await parked()).toEqual([]);
  });

  it('stays parked when its decision could not be kept; a decision alone is completed by another call', async () => {
    poison = 'wreck';
    await append('torn', 'wreck', 'Tom');
    await append('torn', 'b');
    await runner.whenCaughtUp();
    const refused = { discards: true, decide: () => Promise.reject(new Error('no audit')) };
    await expect(runner.unpark('notes', 'acme/torn', refused)).rejects.toThrow('no audit');
    expect(await parked()).toMatchObject([{ stream: 'acme/torn', events: 2 }]);

    const cut = discards('cut off', []);
    const decide = (unparked: Unparked) => cut.decide(unparked).then(() => Promise.reject(new Error('cut off')));
    await expect(runner.unpark('notes', 'acme/torn', { discards: true, decide })).rejects.toThrow('cut off');
    expect(await parked()).toMatchObject([{ stream: 'acme/torn', events: 2 }]);
    expect(await runner.unpark('notes', 'acme/torn')).toEqual({ version: 1, applied: 1, passedOver: [] });
    expect(await noteOf('torn')).toMatchObject({ words: 'b' });
    expect(await runner.verify('notes')).toEqual({ equal: true });
  });

  it('that is an erasure is never passed over, because what it erases would stay', async () => {
    await runner.stop();
    await append('eve', 'a', 'Eve');
    await append('eve', '', undefined, 'SubjectForgotten');
    const retype = (data: string) =>
      superuser.query(`update log.record set data = $1 where stream = 'acme/eve' and ver = 2`, [data]);
    await retype('"torn"');
    await runner.start();
    await runner.whenCaughtUp();
    const unparked = runner.unpark('notes', 'acme/eve', discards('away with it', []));
    await expect(unparked).rejects.toMatchObject({ code: 'projection.poison' });
    await retype('{"text":""}');
    await runner.unpark('notes', 'acme/eve');
    expect(await noteOf('eve')).toEqual({ words: 'a', secret: null });
  });

  it('waits while a rebuild goes on, which may have been past its place', async () => {
    poison = 'venom';
    await append('busy', 'venom', 'Bo');
    await runner.whenCaughtUp();
    poison = '';
    const lock = await lockRebuild(projector, notes);
    await expect(runner.unpark('notes', 'acme/busy')).rejects.toMatchObject({ code: 'projection.rebuilding' });
    await lock.release();
    await runner.unpark('notes', 'acme/busy');
    expect(await parked()).toEqual([]);
  });
});

import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, TEST_BUILD } from '../support/faulty.js';
import { GivenKafka, isOnKafka } from '../support/given-kafka.js';
import { GivenPostgres } from '../support/given-postgres.js';
import { eventually } from '../support/processes.js';
import { removeServer, type Server, startServer } from '../support/server.js';

/*
 * F04: the process that relays is killed before it produces, and after Kafka's acknowledgement before its note. And a
 * relay that was held up while another took over (a zombie): it sends again what that one has sent.
 */

const TOPIC = 'muster.campaign';
/** Whose session holds the lock of the relay. */
const LOCK_HOLDER = `
  select a.pid from pg_stat_activity a join pg_locks l using (pid)
  where a.application_name = 'muster.relay' and l.locktype = 'advisory' and l.granted`;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.skipIf(!isOnKafka('F04'))('a relay that is killed', () => {
  let kafka: GivenKafka;
  let postgres: GivenPostgres;
  let muster: FaultyInstallation;
  let contentId = '';

  beforeAll(async () => {
    [kafka, postgres] = await Promise.all([GivenKafka.start(), GivenPostgres.start()]);
    const env = { ...kafka.settings, DATABASE_URL: postgres.url };
    muster = await FaultyInstallation.start('killed-relay', env, postgres.data);
    contentId = await muster.publish(Buffer.from('content'));
  });
  afterAll(async () => {
    await muster?.stop();
    await postgres?.remove();
    await kafka?.remove();
  });

  const draft = (name: string) =>
    muster.unlessGone(
      muster.people('POST', '/v1/campaigns', {
        body: { name, contents: [contentId] },
        headers: { 'idempotency-key': randomUUID() },
      }),
    );
  it.each(['relay.before-produce', 'relay.after-produce'])(
    'F04, at %s: the topic equals the log, and so do the read models',
    async (point) => {
      const names: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        muster.arm(`${point}:kill:4`);
        for (let n = 0; muster.server.process.isRunning(); n += 1) {
          const name = `${point} ${round}/${n}`;
          const answer = await draft(name);
          if (answer?.status === 201) names.push(name);
          else await pause(50);
        }
        await muster.restart();
      }
      expect(names.length).toBeGreaterThan(0);
      const repeats = await kafka.relayed(muster);
      const found = await muster.sql<{ name: string; n: number }>(
        `select data ->> 'name' as name, count(*)::int as n from log.record
       where topic = '${TOPIC}' and data ->> 'name' = any($1) group by 1`,
        [names],
      );
      const doubled = found.filter(({ n }) => n > 1).length;
      printTally(`F04 ${point}`, { acknowledged: names.length, recovered: found.length, doubled, repeats });
      expect({ recovered: found.length, doubled }).toEqual({ recovered: names.length, doubled: 0 });
      await muster.expectSound();
    },
  );

  it('F04, a zombie that wakes when another has taken over: its repeats are on the topic, and in no read model', async () => {
    const second = await secondServer();
    try {
      muster.arm('relay.before-produce:delay=5000');
      const drafting = draft('seen by both'); // the whole process stands still, so its answer comes late
      await pause(1_000);
      const [holder] = await muster.sql<{ pid: number }>(LOCK_HOLDER);
      await muster.sql('select pg_terminate_backend($1)', [holder?.pid]);
      await eventually('the other has taken over', async () => {
        const [now] = await muster.sql<{ pid: number }>(LOCK_HOLDER);
        return (now !== undefined && now.pid !== holder?.pid) || undefined;
      });
      await drafting;
      const repeats = await eventually('the zombie has sent', async () => (await kafka.relayed(muster)) || undefined);
      console.log(`F04 zombie: repeats ${repeats}`);
      await muster.expectSound();
    } finally {
      await removeServer(second, { isSound: false }); // the first is audited, on the same database
    }
  });

  function secondServer(): Promise<Server> {
    const kek = { MUSTER_KEK_FILE: path.join(muster.server.data, 'keys', 'kek') };
    const env = { ...TEST_BUILD, ...kek, ...kafka.settings, DATABASE_URL: postgres.url };
    return startServer({ data: path.join(muster.folder.path, 'second'), env });
  }
});

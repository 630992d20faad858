import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killBroker, missing, startBroker, startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { asyncApiJudge } from '../support/asyncapi.js';
import { asSuperuser } from '../support/database-scan.js';
import { type Printed, printedOn, recordsOn, topicsOn } from '../support/kcat.js';
import { canRun } from '../support/prerequisites.js';
import { eventually, temporaryFolder } from '../support/processes.js';
import { Cli, removeServer, type Server, startServer } from '../support/server.js';

/*
 * The log on a real broker, from outside: what another client finds in the topics; commands while the broker is away;
 * and read models that come again from Kafka alone.
 */

const STRAIGHT = 'muster.device';
/** What every record promises by name (libs/event-log/DECISIONS.md), and how it looks. */
const ALWAYS: Record<string, RegExp> = {
  ce_specversion: /^1\.0$/,
  'content-type': /^application\/json$/,
  ce_id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  ce_type: /^muster\.[a-z]+\.[a-z-]+\.v[1-9]\d*$/,
  ce_subject: /./,
  ce_source: /^urn:muster:main:[a-z]+$/,
  ce_time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  ce_received: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  ce_tenant: /^main$/,
  ce_actor: /^(person|token|device|system):./,
  ce_command: /./,
  ce_correlation: /./,
};
const SOMETIMES: Record<string, RegExp> = {
  ce_causation: /./,
  ce_traceparent: /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
  ce_sequencesource: /./,
  ce_sequenceepoch: /^\d+$/,
  ce_sequence: /^\d+$/,
  'stream-version': /^[1-9]\d*$/,
  'log-offset': /^\d+$/,
};

const lacking = missing();
const mayRun = process.env.MUSTER_TEST_ALL === '1' || lacking === undefined;
if (!mayRun) console.log(`${lacking}: the log on Kafka is not tried`);

describe.runIf(mayRun && canRun('kcat', 'topics as kcat prints them'))('the log on Kafka', () => {
  const folder = temporaryFolder('acceptance-kafka');
  const broker = path.join(folder.path, 'broker');
  let address = '';
  let server: Server;
  let cli: Cli;
  let settings: Record<string, string>;

  const again = async (): Promise<void> => {
    const { administrator, data } = server;
    server = { ...(await startServer({ data, env: settings })), administrator };
    cli = await new Cli(server, path.join(folder.path, 'manager')).login();
  };
  const sql = <R>(text: string): Promise<R[]> =>
    asSuperuser(server.data, async (client) => (await client.query(text)).rows as R[]);
  /** Everything in a topic, once Kafka has what Postgres has. */
  const relayed = async (topic: string): Promise<Printed[]> => {
    const [{ records } = { records: -1 }] = await sql<{ records: number }>(
      `select count(*)::int as records from log.record where topic = '${topic}'`,
    );
    return eventually(`${topic} is relayed`, async () => {
      const found = await recordsOn(address, topic);
      return found.length >= records ? found : undefined;
    });
  };

  beforeAll(async () => {
    const { brokers } = await startKafka({ folder: broker, freePorts: true });
    address = brokers[0]!;
    settings = { MUSTER_LOG: 'kafka', KAFKA_BROKERS: address };
    server = await startServer({ data: path.join(folder.path, 'data'), env: settings });
    cli = await new Cli(server, path.join(folder.path, 'manager')).login();
    const { code, output } = await cli.try('demo');
    expect(code, output).toBe(0);
  });
  afterAll(async () => {
    try {
      await removeServer(server);
    } finally {
      await stopKafka(broker);
      folder.remove();
    }
  });

  it('lies in topics of its own, of which kcat prints key, headers and JSON', async () => {
    const topics = await topicsOn(address);
    expect(topics.filter((topic) => !topic.startsWith('muster.'))).toEqual([]);
    const filled: string[] = [];
    for (const topic of topics) {
      const records = await relayed(topic);
      if (records.length > 0) filled.push(topic);
      for (const record of records) expectPromised(record);
    }
    expect(filled).toEqual(
      expect.arrayContaining(['muster.audit', 'muster.campaign', 'muster.content', STRAIGHT, 'muster.handset']),
    );
    const printed = await printedOn(address, 'muster.campaign', '%k|%h|%s\\n');
    expect(printed).toMatch(
      /^main\/[^|]+\|ce_specversion=1\.0,.*ce_type=muster\.campaign\.campaign-drafted\.v2.*\|\{.*\}$/m,
    );
  });

  it('is what deploy/asyncapi.json says, record by record', async () => {
    const judge = asyncApiJudge();
    const found = (await Promise.all((await topicsOn(address)).map((topic) => recordsOn(address, topic)))).flat();
    expect(found.flatMap((record) => judge.record(record))).toEqual([]);
    const types = new Set(found.map(({ headers }) => headers.ce_type));
    expect(types.size).toBeGreaterThan(20);
  });

  it('numbers each partition of a relayed topic without a hole, and each stream by its versions', async () => {
    for (const topic of (await topicsOn(address)).filter((each) => each !== STRAIGHT))
      expectInOrder(await relayed(topic));
    for (const { headers } of await recordsOn(address, STRAIGHT)) expect(headers['log-offset']).toBeUndefined();
  });

  it('takes commands while the broker is away; when it is back all come, in order', async () => {
    const [content] = await cli.json<{ contentId: string }[]>('content', 'list');
    await killBroker(broker, 1);
    const made: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      const drafted = await cli.json<{ campaignId: string }>(
        'campaign',
        'draft',
        '--name',
        name,
        '--content',
        content!.contentId,
      );
      await cli.text('campaign', 'schedule', drafted.campaignId);
      await cli.text('campaign', 'abort', drafted.campaignId, '--reason', 'tried');
      made.push(`main/${drafted.campaignId}`);
    }
    await startBroker(broker, 1);
    const records = await relayed('muster.campaign');
    expectInOrder(records);
    for (const stream of made) {
      const types = records.filter(({ key }) => key === stream).map(({ headers }) => headers.ce_type?.split('.')[2]);
      expect(types.filter((type) => type !== 'campaign-started')).toEqual([
        'campaign-drafted',
        'campaign-scheduled',
        'campaign-aborted',
      ]);
    }
    await eventually('the read models have it', async () => {
      const lines = await cli.json<{ lagEvents: number }[]>('projection', 'list');
      return lines.every(({ lagEvents }) => lagEvents === 0) || undefined;
    });
  });

  it('is all that read models need: dropped, and with no log left in Postgres, they come again equal', async () => {
    const [campaign] = (await cli.json<{ campaignId: string; name: string }[]>('campaign', 'list')).filter(
      ({ name }) => !['one', 'two', 'three'].includes(name),
    );
    const devices = await cli.json<{ id: string }[]>('device', 'list');
    const seen = async () => ({
      funnel: (await cli.json<{ funnel: object }>('campaign', 'progress', campaign!.campaignId)).funnel,
      timelines: await Promise.all(
        devices.map(({ id }) => cli.text('device', 'timeline', id, '--limit', '200', '--json')),
      ),
    });
    const before = await seen();
    await server.process.stop('SIGKILL'); // its Postgres stays, until the next start
    const schemas = await sql<{ name: string }>(`select nspname as name from pg_namespace where nspname like 'proj%'`);
    expect(schemas.length).toBeGreaterThan(0);
    for (const { name } of schemas) await sql(`drop schema ${name} cascade`);
    // What remains is the last record of each partition: by it the relay sees that this Postgres belongs to that Kafka.
    await sql('create table public.aside as select * from log.record');
    await sql(
      `delete from log.record r where off < (select max(off) from log.record l where l.topic = r.topic and l.part = r.part)`,
    );
    await again();
    await eventually('they are there again', async () => {
      const lines = await cli.json<{ lagEvents: number }[]>('projection', 'list');
      return lines.every(({ lagEvents }) => lagEvents === 0) || undefined;
    });
    const projections = await cli.json<{ name: string }[]>('projection', 'list');
    for (const { name } of projections) expect(await cli.text('projection', 'verify', name), name).toMatch(/equal/);
    expect(await seen()).toEqual(before);
    await sql('insert into log.record select * from public.aside on conflict do nothing');
    await sql('drop table public.aside');
  });
});

function expectPromised({ topic, partition, offset, key, headers, payload }: Printed): void {
  const where = `${topic}/${partition}/${offset}`;
  for (const [name, pattern] of Object.entries(ALWAYS)) expect(headers[name], `${where} ${name}`).toMatch(pattern);
  for (const [name, value] of Object.entries(headers))
    expect(value, `${where} ${name}`).toMatch(ALWAYS[name] ?? SOMETIMES[name] ?? /^no such header$/);
  expect(headers['log-offset'] === undefined, where).toBe(topic === STRAIGHT);
  expect(headers.ce_type, where).toMatch(new RegExp(`^${topic}\\.`));
  expect(headers.ce_source, where).toBe(`urn:muster:${headers.ce_tenant}:${topic.replace('muster.', '')}`);
  expect(key, where).toBe(`${headers.ce_tenant}/${headers.ce_subject}`);
  expect(JSON.parse(payload), where).toBeTypeOf('object');
}

/** Repeats are the relay's right after a crash, and readers drop them by their number. */
function expectInOrder(records: readonly Printed[]): void {
  const next = new Map<string, number>();
  for (const { topic, partition, key, headers } of records) {
    const place = `${topic}/${partition}`;
    const expected = next.get(place) ?? 0;
    const logOffset = Number(headers['log-offset']);
    expect(logOffset, place).toBeLessThanOrEqual(expected);
    if (logOffset < expected) continue;
    next.set(place, expected + 1);
    if (headers['stream-version'] === undefined) continue;
    const version = (next.get(key) ?? 0) + 1;
    expect(Number(headers['stream-version']), `${place} ${key}`).toBe(version);
    next.set(key, version);
  }
}

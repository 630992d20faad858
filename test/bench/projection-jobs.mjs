// A read model that follows the log, one that is built anew, and the least that both could cost.
import { ProjectionRunner } from '#event-log/index.js';
import { insightProjections } from '#insight/index.js';
import { serve } from './child.mjs';
import { factsOf, openLog } from './log-facts.mjs';

const TOPIC = 'muster.device';
const PARTITIONS = Array.from({ length: 12 }, (_, partition) => partition);

async function open({ urls, projection }) {
  const log = await openLog(urls);
  const projections = insightProjections.filter(({ name }) => name === projection);
  const runner = new ProjectionRunner({ database: log.projector, source: log.reader, projections });
  return { ...log, runner };
}

/** All code has run once, and the tables are empty. */
async function warm({ runner, projector }, projection) {
  const some = Object.fromEntries(PARTITIONS.map((partition) => [`${TOPIC}/${partition}`, 500]));
  await runner.prepare();
  for (let time = 0; time < 2; time += 1) await (await runner.buildAsOf(projection, some)).drop();
  const [{ schema }] = await projector.query('select schema from proj.generation where projection = $1', [projection]);
  await projector.query(`drop schema ${schema} cascade`); // made anew by prepare
  await runner.prepare();
}

async function eachBatch(size, log, apply) {
  const heads = await log.reader.heads([TOPIC]);
  let count = 0;
  for (const partition of PARTITIONS)
    for (let next = 0; next < (heads[`${TOPIC}/${partition}`] ?? 0); ) {
      const batch = await log.reader.readTolerantly(TOPIC, partition, next, size);
      await apply(batch);
      next += batch.length;
      count += batch.length;
    }
  return count;
}

const LINE = {
  tenant: 'text',
  device_id: 'text',
  topic: 'text',
  part: 'int',
  off: 'bigint',
  event_at: 'timestamptz',
  received_at: 'timestamptz',
  event: 'text',
  text: 'text',
  campaign_id: 'text',
  content_id: 'text',
  code: 'text',
  label: 'text',
};
const NAMES = Object.keys(LINE);
const UPSERT = `insert into proj.bench_line select * from unnest(${NAMES.map((name, i) => `$${i + 1}::${LINE[name]}[]`).join(', ')})
  on conflict (tenant, device_id, topic, part, off) do nothing`;
const lineOf = (record) => ({
  tenant: record.tenant,
  device_id: record.subject,
  topic: record.topic,
  part: record.partition,
  off: record.offset,
  event_at: record.occurredAt,
  received_at: record.receivedAt,
  event: record.type,
  text: 'downloaded 70000 bytes',
  campaign_id: record.data.campaignId,
  content_id: record.data.contentId,
  code: null,
  label: null,
});

const COLUMNS = `part, off, tenant, stream, ver, type, event_id, occurred_at, received_at, actor, command_id,
  correlation_id, causation_id, traceparent, seq_source, seq_epoch, seq_n, data`;
const READ = `select ${COLUMNS} from log.record where topic = '${TOPIC}' and part = $1 and off >= $2 order by off limit 2000`;

/** Every row of the topic as the driver gives it, and nothing done with it. */
async function readAll(client) {
  let count = 0;
  for (const partition of PARTITIONS)
    for (let next = 0; ; ) {
      const { rows } = await client.query(READ, [partition, next]);
      count += rows.length;
      if (rows.length < 2_000) break;
      next += rows.length;
    }
  return count;
}

serve({
  fill: async ({ urls, events }) => {
    const { writer, backends } = await openLog(urls);
    const work = async () => {
      for (let left = events; left > 0; left -= 1_000) await writer.appendFacts(TOPIC, factsOf(Math.min(left, 1_000)));
      return events;
    };
    return { backends, work };
  },
  live: async ({ urls, events, projection }) => {
    const log = await open({ urls, projection });
    await warm(log, projection);
    const work = async () => {
      await log.runner.start();
      await log.runner.whenCaughtUp();
      await log.runner.stop();
      return events;
    };
    return { backends: log.backends, work };
  },
  rebuild: async ({ urls, events, projection }) => {
    const log = await open({ urls, projection });
    await warm(log, projection);
    const work = async () => {
      await log.runner.rebuild(projection);
      return events;
    };
    return { backends: log.backends, work };
  },
  read: async ({ urls }) => {
    const { bare, backends } = await openLog(urls);
    const client = await bare('muster_projector');
    for (let time = 0; time < 3; time += 1) await client.query(READ, [time, 0]);
    return { backends, work: () => readAll(client) };
  },
  /** The rows of device_timeline, made ready before. */
  upsert: async ({ urls, batch }) => {
    const log = await openLog(urls);
    await log.projector.query('drop table if exists proj.bench_line');
    await log.projector.query(`create table proj.bench_line (${NAMES.map((name) => `${name} ${LINE[name]}`).join(', ')},
      primary key (tenant, device_id, topic, part, off))`);
    const batches = [];
    await eachBatch(batch, log, (records) => batches.push(records.map(lineOf)));
    const write = (rows) =>
      log.projector.query(
        UPSERT,
        NAMES.map((name) => rows.map((row) => row[name])),
      );
    for (let time = 0; time < 3; time += 1) await write(batches[0]);
    await log.projector.query('truncate proj.bench_line');
    const work = async () => {
      let count = 0;
      for (const rows of batches) {
        await write(rows);
        count += rows.length;
      }
      return count;
    };
    return { backends: log.backends, work };
  },
});

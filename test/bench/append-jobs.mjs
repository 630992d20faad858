// Appends of the log, and what Postgres does with the same rows without one.
import { newId } from '#runtime/index.js';
import { serve } from './child.mjs';
import { catalog, factsOf, openLog, TENANT } from './log-facts.mjs';

const TOPIC = 'muster.device';
const COLUMNS = {
  part: 'int',
  off: 'bigint',
  tenant: 'text',
  stream: 'text',
  ver: 'bigint',
  type: 'text',
  event_id: 'uuid',
  occurred_at: 'timestamptz',
  received_at: 'timestamptz',
  actor: 'text',
  command_id: 'text',
  correlation_id: 'text',
  causation_id: 'text',
  traceparent: 'text',
  seq_source: 'text',
  seq_epoch: 'bigint',
  seq_n: 'bigint',
  data: 'json',
};
const NAMES = Object.keys(COLUMNS);
const UNNEST = `insert into ops.bench_record select '${TOPIC}', * from
  unnest(${NAMES.map((name, i) => `$${i + 1}::${COLUMNS[name]}[]`).join(', ')})`;
const ONE = `insert into ops.bench_record values ('${TOPIC}', ${NAMES.map((_, i) => `$${i + 1}`).join(', ')})`;

/** The rows that these facts become, made ready before anything is measured. */
const rowsOf = (facts, from) =>
  facts.map(({ subject, context, event, sequence }, i) => ({
    part: i % 12,
    off: from + i,
    tenant: TENANT,
    stream: `${TENANT}/${subject}`,
    ver: 0,
    type: catalog.check(TOPIC, event).wire,
    event_id: newId(),
    occurred_at: new Date().toISOString(),
    received_at: new Date().toISOString(),
    actor: context.actor,
    command_id: context.commandId,
    correlation_id: context.commandId,
    causation_id: null,
    traceparent: null,
    seq_source: sequence.source,
    seq_epoch: sequence.epoch,
    seq_n: sequence.n,
    data: JSON.stringify(event.data),
  }));

const grouped = (all, size) =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

/** Groups one after the other, each durable before the next; the first are the warm-up. */
async function inGroups(groups, write) {
  const warmUp = Math.ceil(groups.length / 5);
  for (const group of groups.slice(0, warmUp)) await write(group);
  return async () => {
    let count = 0;
    for (const group of groups.slice(warmUp)) {
      await write(group);
      count += group.length;
    }
    return count;
  };
}

serve({
  facts: async ({ urls, count, group }) => {
    const { writer, backends } = await openLog(urls);
    return {
      backends,
      work: await inGroups(grouped(factsOf(count), group), (facts) => writer.appendFacts(TOPIC, facts)),
    };
  },
  unnest: async ({ urls, count, group, from }) => {
    const { bare, backends } = await openLog(urls);
    const client = await bare('muster_campaign');
    const write = (rows) =>
      client.query(
        UNNEST,
        NAMES.map((name) => rows.map((row) => row[name])),
      );
    return { backends, work: await inGroups(grouped(rowsOf(factsOf(count), from), group), write) };
  },
  /** A command's event, each in a stream of its own. */
  command: async ({ urls, count }) => {
    const { writer, backends } = await openLog(urls);
    const write = ([{ subject, context, event }]) =>
      writer.append('muster.campaign', { subject, expectedVersion: 0 }, [event], context);
    const events = factsOf(count).map(({ context }) => {
      const campaignId = newId();
      return { subject: campaignId, context, event: { type: 'CampaignStarted', data: { campaignId } } };
    });
    return { backends, work: await inGroups(grouped(events, 1), write) };
  },
  row: async ({ urls, count, from }) => {
    const { bare, backends } = await openLog(urls);
    const client = await bare('muster_campaign');
    const write = ([row]) =>
      client.query(
        ONE,
        NAMES.map((name) => row[name]),
      );
    return { backends, work: await inGroups(grouped(rowsOf(factsOf(count), from), 1), write) };
  },
});

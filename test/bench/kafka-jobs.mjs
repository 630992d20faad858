// What lies in Kafka, read by our reader as projections read it, and by kafkajs alone.
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { KafkajsClient, KafkaSide } from '#event-log/index.js';
import { newId, silentLog, systemClock } from '#runtime/index.js';
import { serve } from './child.mjs';
import { catalog, factsOf, openLog } from './log-facts.mjs';

const TOPIC = 'muster.device';
const BATCH = 500;

/** Every size has topics of its own on the one broker. */
function underPrefix(client, prefix) {
  const there = (topic) => prefix + topic;
  const back = (found) => new Map([...found].map(([topic, value]) => [topic.slice(prefix.length), value]));
  return {
    ends: async (topics) => back(await client.ends(topics.map(there))),
    fetch: (topic, ...rest) => client.fetch(there(topic), ...rest),
    send: (batches) => client.send(batches.map((batch) => ({ ...batch, topic: there(batch.topic) }))),
    describe: async (topics) => {
      const { brokers, topics: found } = await client.describe(topics.map(there));
      return { brokers, topics: back(found) };
    },
    create: (topics, settings) => client.create(topics.map(there), settings),
    close: () => client.close(),
  };
}

async function openSide({ urls, brokers }, prefix) {
  const log = await openLog(urls);
  const side = await KafkaSide.open(underPrefix(new KafkajsClient({ brokers }), prefix), {
    clock: systemClock,
    log: silentLog,
  });
  const parts = { events: catalog, keyring: log.keyring, clock: systemClock };
  return {
    ...log,
    writer: side.logOf({ ...parts, database: log.actor }),
    reader: side.logOf({ ...parts, database: log.projector }),
  };
}

async function readAll(reader) {
  const heads = await reader.heads([TOPIC]);
  let count = 0;
  for (const [place, head] of Object.entries(heads))
    for (let next = 0; next < head; ) {
      const read = await reader.readTolerantly(TOPIC, Number(place.split('/')[1]), next, BATCH);
      next += read.length;
      count += read.length;
    }
  return count;
}

/** Consumes so many records in a group of its own, from the beginning. */
async function consume({ brokers }, topic, events, each) {
  const consumer = new kafkajs.Kafka({ brokers, logLevel: 0 }).consumer({ groupId: newId() });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let count = 0;
  const eachBatch = async ({ batch: { messages } }) => {
    for (const message of messages) each(message);
    count += messages.length;
  };
  await consumer.run({ autoCommit: false, eachBatch });
  while (count < events) await sleep(20);
  await consumer.disconnect();
  return count;
}

const consuming = (each) => async (job) => {
  await consume(job, `${job.warmUp.prefix}${TOPIC}`, job.warmUp.events, each);
  return { work: () => consume(job, `${job.prefix}${TOPIC}`, job.events, each) };
};

let bytes = 0;
const parsed = new Set();
serve({
  fill: async (job) => {
    const { writer } = await openSide(job, job.prefix);
    const work = async () => {
      for (let left = job.events; left > 0; left -= 1_000)
        await writer.appendFacts(TOPIC, factsOf(Math.min(left, 1_000)));
      return job.events;
    };
    return { work };
  },
  reader: async (job) => {
    const warm = await openSide(job, job.warmUp.prefix);
    await readAll(warm.reader);
    const { reader } = await openSide(job, job.prefix);
    return { work: () => readAll(reader) };
  },
  bare: consuming(({ value }) => (bytes += value.length)),
  /** Does with each record what anyone must who wants to know what it says. */
  parsing: consuming(({ key, value, headers }) => {
    const record = { key: key.toString(), data: JSON.parse(value.toString()) };
    for (const name of Object.keys(headers)) record[name] = headers[name].toString();
    parsed.clear();
    parsed.add(record);
  }),
});

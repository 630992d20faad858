import { type Clock, instant, newId } from '#runtime/index.js';
import type { EventCatalog } from './catalog.js';
import type { Tx } from './database.js';
import { checkContext, checkOccurredAt, checkSequence, encodeData, streamOf } from './envelope.js';
import { EventLogError, type Fact, PARTITIONS, type Topic } from './event-log.js';
import type { Keyring } from './keyring.js';
import { partitionOf } from './murmur2.js';
import { holdsPersonal, sealPersonal } from './seal.js';

/** What it takes to make a stored record of an event. */
export interface Preparing {
  events: EventCatalog;
  keyring: Keyring;
  clock: Clock;
}

/** An event as it is stored: CloudEvents type, id, and sealed data as JSON. */
export interface Prepared {
  wire: string;
  id: string;
  json: string;
}

/** Checks, names and seals events of one tenant; the keys of all subjects are read in one go. */
export async function prepareEvents(
  { events: catalog, keyring }: Preparing,
  tx: Tx,
  { topic, tenant }: { topic: Topic; tenant: string },
  events: readonly Pick<Fact, 'subject' | 'event'>[],
): Promise<Prepared[]> {
  const checked = events.map(({ subject, event }) => ({ subject, event, id: newId(), ...catalog.check(topic, event) }));
  const personal = checked.filter(({ isPersonal, event, schema }) => isPersonal && holdsPersonal(event.data, schema));
  const subjects = personal.map(({ subject }) => subject);
  const keys = subjects.length === 0 ? undefined : await keyring.sealingKeys(tx, tenant, subjects);
  return checked.map(({ subject, event, id, wire, schema }) => {
    const key = keys?.get(subject);
    const data = key === undefined ? event.data : sealPersonal(event.data, schema, id, key);
    return { wire, id, json: encodeData(data, event.type) };
  });
}

/** Columns of a fact, in the order of the parameters of `log.append_facts`. */
export const FACT_COLUMNS = [
  'partition',
  'stream',
  'wire',
  'id',
  'occurredAt',
  'actor',
  'commandId',
  'correlationId',
  'causationId',
  'traceparent',
  'source',
  'epoch',
  'n',
  'json',
] as const;
export type FactRow = Partial<Record<(typeof FACT_COLUMNS)[number], string | number>> & { partition: number };

/** Rows of facts of the one tenant that `tx` is in. */
export async function factRows(preparing: Preparing, tx: Tx, topic: Topic, facts: readonly Fact[]): Promise<FactRow[]> {
  const tenant = facts[0]?.context.tenant ?? '';
  for (const context of new Set(facts.map((fact) => fact.context))) checkContext(context);
  // A group is much of few: each stream is checked and hashed once.
  const homes = new Map<string, { stream: string; home: number }>();
  const places = facts.map((fact) => {
    const key = `${fact.context.tenant}/${fact.subject}`;
    const { stream, home } = homes.get(key) ?? homeOf(fact);
    homes.set(key, { stream, home });
    return { stream, partition: fact.partition === undefined ? home : namedPartition(fact.partition) };
  });
  const prepared = await prepareEvents(preparing, tx, { topic, tenant }, facts);
  const now = instant(preparing.clock.now());
  return facts.map((fact, index) => {
    const { actor, commandId, correlationId = commandId, causationId, traceparent } = fact.context;
    const occurred = checkOccurredAt(fact);
    const occurredAt = occurred === undefined ? now : instant(occurred);
    const { stream, partition = 0 } = places[index] ?? {};
    const { wire, id, json } = prepared[index] ?? {};
    const { source, epoch, n } = checkSequence(fact) ?? {};
    // One literal: spreads of five parts took longer than all the checks.
    return {
      partition,
      stream,
      wire,
      id,
      occurredAt,
      actor,
      commandId,
      correlationId,
      causationId,
      traceparent,
      source,
      epoch,
      n,
      json,
    };
  });
}

/** One array a column, as `unnest` takes them; it fills up a shorter one with nulls, so one without a value is empty. */
export function columns<Row extends object>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  return names.map((name) => {
    const values = rows.map((row) => row[name] ?? null);
    return values.some((value) => value !== null) ? values : [];
  });
}

function homeOf({ context, subject }: Fact) {
  const stream = streamOf(context.tenant, subject);
  return { stream, home: partitionOf(stream) };
}

function namedPartition(partition: number): number {
  if (Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS) return partition;
  const fields = [{ pointer: '/partition', message: `0 to ${PARTITIONS - 1}` }];
  throw new EventLogError('log.schema-violation', { partition }, 'no such partition', fields);
}

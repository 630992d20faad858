import type { Log } from '#runtime/index.js';
import type { EventRecord } from './event-log.js';
import type { Parked } from './parked.js';
import type { Projection } from './projection.js';

/** A line a batch, whoever filled it: types of a newer program mean nothing to the projections of this one. */
export function reportPassedBy(log: Log, { name }: Projection, batch: readonly EventRecord[]): void {
  const unknown = batch.filter(({ topic, type }) => type.startsWith(`${topic}.`));
  const [first] = unknown;
  if (first === undefined) return;
  const { topic, partition, offset, type } = first;
  log.warn('projection.passed-by', { projection: name, topic, partition, offset, type, count: unknown.length });
}

/** Its stream waits until a person has repaired the cause: an alarm each, with its place. */
export function reportParked(log: Log, { name }: Projection, poison: readonly Parked[]): void {
  for (const { record, error } of poison) {
    const { topic, partition, offset, stream, type } = record;
    log.error('projection.parked', { projection: name, topic, partition, offset, stream, type, error });
  }
}

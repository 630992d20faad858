import type { Tx } from './database.js';
import type { EventRecord } from './event-log.js';

/** What must hold whatever happened: durable, no fork, one log, fold, delivery, monotonic, tenant, audit. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I11';

/** One breach. `where` is `topic/partition/offset` of a record, or `table key…` of a row, or a file. */
export interface Finding {
  invariant: Invariant;
  /** Stable, dotted, lower case. */
  code: string;
  where: string;
  message: string;
  /** Where in Kafka, when the breach is there. */
  kafkaOffset?: number;
}

export type Report = (finding: Finding) => void;

/**
 * What a room knows of its own events and rows. It sees every record of the log once, topic after topic and each
 * partition in order, and then the rows as they were at that very moment.
 */
export interface RoomAuditor {
  visit(record: EventRecord): void;
  finish(tx: Tx): Promise<void>;
}

export const placeOf = ({ topic, partition, offset }: Pick<EventRecord, 'topic' | 'partition' | 'offset'>): string =>
  `${topic}/${partition}/${offset}`;

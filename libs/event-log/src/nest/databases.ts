import { Database } from '../database.js';
import type { Log } from '#runtime/index.js';
import { PostgresLog } from '../postgres-log.js';

export interface DatabaseUrls {
  /** Role of this process's actor. */
  actor: string;
  tail: string;
  projector: string;
  insight: string;
}

/** One pool a role. */
export class Databases {
  readonly actor: Database;
  readonly tail: Database;
  readonly projector: Database;
  readonly insight: Database;

  constructor(urls: DatabaseUrls, log: Log) {
    const open = (role: keyof DatabaseUrls, max: number) =>
      new Database(urls[role], { max, applicationName: `muster ${role}`, log });
    this.actor = open('actor', 20);
    this.tail = open('tail', 5);
    this.projector = open('projector', 12);
    this.insight = open('insight', 10);
  }

  async end(): Promise<void> {
    await Promise.all([this.actor.end(), this.tail.end(), this.projector.end(), this.insight.end()]);
  }
}

/** The log for readers across tenants: process managers, live streams. It cannot append. */
export class TailLog extends PostgresLog {}

/**
 * What is committed, across tenants, whether or not Kafka has it yet: for those who decide, and must neither wait for a
 * broker nor forget what they have just answered. Facts of devices are not in it where there is Kafka.
 */
export class CommittedLog extends PostgresLog {}

import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect } from 'vitest';
import { asSuperuser } from './database-scan.js';
import { type Answer, Installation } from './installation.js';
import { eventually, freePort } from './processes.js';
import { startServer } from './server.js';

/** Makes Node load the armed failpoints and guard switches in place of the product's empty ones. */
export const TEST_BUILD = { NODE_OPTIONS: '--conditions=muster-test' };

/** How often each kill is tried: a few times with the other tests, 500 in `npm run test:long`. */
export const ROUNDS = Number(process.env.MUSTER_FAULT_ROUNDS ?? 5);

/** A server is at its failpoint within this; longer than any retry of its own. */
const COMES_THERE_MS = 120_000;

/** What a fault test ends with. */
export interface Tally {
  acknowledged: number;
  recovered: number;
  doubled: number;
}

export function printTally(fault: string, tally: Tally & Record<string, number>): void {
  const counts = Object.entries(tally).map(([name, count]) => `${name} ${count}`);
  console.log(`${fault}: ${counts.join(', ')}`);
}

/** An installation in the test build, whose server is killed at failpoints and started again on the same data. */
export class FaultyInstallation extends Installation {
  /** @param databaseFolder where passwords and port of a Postgres lie that the server did not start itself */
  static override async start(
    name: string,
    env: Record<string, string> = {},
    databaseFolder?: string,
  ): Promise<FaultyInstallation> {
    const point = path.join(tmpdir(), `muster-failpoint-${process.pid}-${name}`);
    rmSync(point, { force: true });
    // Ports of its own choice, so that agents find it again after a restart.
    const ports = { MUSTER_PORT: String(await freePort()), MUSTER_HANDSET_PORT: String(await freePort()) };
    const settings = { ...TEST_BUILD, ...ports, MUSTER_FAILPOINT: `@${point}`, ...env };
    const made = (await super.start(name, settings)) as FaultyInstallation;
    made.point = point;
    made.settings = settings;
    made.databaseFolder = databaseFolder;
    return made;
  }

  private point = '';
  private armed: string | undefined;
  private settings: Record<string, string> = {};
  private databaseFolder: string | undefined;

  override async stop(options: { isSound?: boolean } = {}): Promise<void> {
    this.disarm();
    await super.stop(options);
  }

  /** From now on: `<name>:<action>[:<n>]`. */
  arm(spec: string): void {
    this.armed = spec;
    writeFileSync(this.point, spec);
  }

  disarm(): void {
    this.armed = undefined;
    rmSync(this.point, { force: true });
  }

  /** Waits for the server to come to the failpoint that is armed. */
  async killed(): Promise<void> {
    const { process: server } = this.server;
    const waiting = new AbortController();
    const never = sleep(COMES_THERE_MS, undefined, { signal: waiting.signal }).then(async () => {
      const seen = await this.people('GET', '/v1/projections').then(({ body }) => body, String);
      throw new Error(`the server never came to ${this.armed ?? 'any'}; projections: ${JSON.stringify(seen)}`);
    });
    await Promise.race([server.exited, never]).finally(() => waiting.abort());
  }

  /** Starts the server again after it has been killed; its first administrator and the session stay. */
  async restart(env: Record<string, string> = {}): Promise<void> {
    await this.killed();
    this.disarm();
    const { administrator, data } = this.server;
    this.server = { ...(await startServer({ data, env: { ...this.settings, ...env } })), administrator };
  }

  /** An answer, or undefined when the server went before it gave one. */
  async unlessGone(work: Promise<Answer>): Promise<Answer | undefined> {
    return work.catch(() => undefined);
  }

  sql<R extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<R[]> {
    return asSuperuser(
      this.databaseFolder ?? this.server.data,
      async (client) => (await client.query<R>(text, params)).rows,
    );
  }

  /** The log as it must be after any fault; every read model equals it, with nothing waiting, parked or stopped. */
  async expectSound(): Promise<void> {
    expect(await this.sql(UNSOUND)).toEqual([]);
    const projections = await this.expectCaughtUp();
    for (const each of projections) expect(each).toMatchObject({ state: 'live', parked: 0 });
    for (const { name } of projections) await this.expectVerified(name);
  }

  expectCaughtUp(): Promise<ProjectionLine[]> {
    return eventually('projections have caught up', async () => {
      const { items } = await this.ok<{ items: ProjectionLine[] }>('GET', '/v1/projections');
      return items.every(({ lagEvents }) => lagEvents === 0) ? items : undefined;
    });
  }

  async expectVerified(name: string): Promise<void> {
    const { id } = await this.ok('POST', `/v1/projections/${name}/verify`);
    const done = await eventually(`${name} is verified`, async () => {
      const operation = await this.ok<{ status: string; result: unknown }>('GET', `/v1/operations/${id}`);
      return operation.status === 'running' ? undefined : operation;
    });
    expect(done, name).toMatchObject({ result: { equal: true } });
  }
}

interface ProjectionLine {
  name: string;
  state: string;
  lagEvents: number;
  parked: number;
}

/** Holes in partitions or streams, heads that are not where the records end, event ids that come twice. */
const UNSOUND = `
  select 'offsets' as what, topic || '/' || part as at from log.record r group by topic, part
    having min(off) <> (select coalesce(max(next_off), 0) from log.archive a where a.topic = r.topic and a.part = r.part)
      or max(off) - min(off) <> count(*) - 1
  union all
  select 'archive', topic || '/' || part from log.archive group by topic, part
    having min(first_off) <> 0 or max(next_off) <> sum(next_off - first_off)
  union all
  select 'head', topic || '/' || part from log.head h
    where next_off <> (select count(*) from log.record r where r.topic = h.topic and r.part = h.part)
      + (select coalesce(sum(a.next_off - a.first_off), 0) from log.archive a where a.topic = h.topic and a.part = h.part)
  union all
  select 'versions', topic || ' ' || stream from log.record where ver > 0 group by topic, stream
    having min(ver) <> 1 or max(ver) <> count(*)
  union all
  select 'stream', topic || ' ' || stream from log.stream s
    where ver <> (select count(*) from log.record r where r.topic = s.topic and r.stream = s.stream and ver > 0)
  union all
  select 'event id', event_id::text from log.record group by event_id having count(*) > 1`;

import { killBroker, missing, runningKafka, startBroker, startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { type FetchedRecord, KafkajsClient } from '#event-log/index.js';
import { expect } from 'vitest';
import type { FaultyInstallation } from './faulty.js';
import { endWithUs } from './left-behind.js';
import { Link } from './link.js';
import { eventually, temporaryFolder } from './processes.js';

/** False where the log is Postgres alone, which has no broker that could fail; says what is skipped. */
export function isOnKafka(what: string): boolean {
  if (process.env.MUSTER_TEST_LOG === 'kafka' && missing() === undefined) return true;
  console.log(`${what}: skipped, for there is no broker in this project`);
  return false;
}

/** What a link leads to, known once it runs. */
interface Behind {
  ports: readonly number[];
}

const portOf = (broker: string) => Number(broker.split(':')[1]);

/** A Kafka that is nobody's child but the test's, for servers that get it by `KAFKA_BROKERS`: its brokers are killed and started at will. */
export class GivenKafka {
  private own: KafkajsClient | undefined;

  private constructor(
    private readonly folder: ReturnType<typeof temporaryFolder>,
    /** `host:port` for clients: of the link, when there is one. */
    readonly brokers: readonly string[],
    /** Between all clients and the one broker. */
    readonly link: Link | undefined,
    private readonly behind: Behind,
  ) {}

  static async start(brokers: 1 | 3 = 1): Promise<GivenKafka> {
    const folder = temporaryFolder('given-kafka');
    const made = await startKafka({ folder: folder.path, brokers, freePorts: true });
    for (const pid of made.pids) endWithUs(pid);
    return new GivenKafka(folder, made.brokers, undefined, { ports: [] });
  }

  /** One broker that tells its clients the address of a link, which the test can break. */
  static async behindLink(): Promise<GivenKafka> {
    const folder = temporaryFolder('given-kafka');
    const behind: Behind = { ports: [] };
    const link = await Link.open(() => behind.ports);
    const address = `127.0.0.1:${link.port}`;
    const properties = { 'advertised.listeners': `BROKER://${address}` };
    const { brokers, pids } = await startKafka({ folder: folder.path, freePorts: true, properties });
    for (const pid of pids) endWithUs(pid);
    behind.ports = brokers.map(portOf);
    return new GivenKafka(folder, [address], link, behind);
  }

  /** All connections are lost; new ones come to this port instead of the broker's. @returns where they came before */
  moveLink(port: number): number {
    const [before = 0] = this.behind.ports;
    this.behind.ports = [port];
    this.link?.reset();
    return before;
  }

  /** What a server needs to be on it. */
  get settings(): Record<string, string> {
    return { MUSTER_LOG: 'kafka', KAFKA_BROKERS: this.brokers.join(',') };
  }

  /** The test's own connection, for reading and for records that nobody should write. */
  get client(): KafkajsClient {
    this.own ??= new KafkajsClient({ brokers: this.brokers });
    return this.own;
  }

  /** SIGKILL; nothing is flushed, nobody is told. */
  kill(node = 1): Promise<void> {
    return killBroker(this.folder.path, node);
  }

  /** SIGSTOP: its connections stay open, and nobody answers. @returns what lets it go on */
  pause(node: number): () => void {
    const pid = runningKafka(this.folder.path)?.pids[node - 1];
    if (pid === undefined) throw new Error(`broker ${node} does not run`);
    process.kill(pid, 'SIGSTOP');
    return () => process.kill(pid, 'SIGCONT');
  }

  async start(node = 1): Promise<void> {
    endWithUs(await startBroker(this.folder.path, node));
  }

  /** Everything that a topic holds, duplicates and all, by partition. */
  async recordsOf(topic: string): Promise<FetchedRecord[][]> {
    const { client } = this;
    const ends = (await client.ends([topic])).get(topic) ?? [];
    return Promise.all(
      ends.map(async (end, partition) => {
        const found: FetchedRecord[] = [];
        for (let at = 0; at < end; ) {
          const { records, next } = await client.fetch(topic, partition, at, 1_000_000);
          found.push(...records);
          at = next;
        }
        return found;
      }),
    );
  }

  /** Waits until every topic, without its repeats, is the log in Postgres. @returns how many repeats there are */
  async relayed(muster: FaultyInstallation): Promise<number> {
    await eventually('the relay has caught up', async () => {
      const [row] = await muster.sql<{ lag: number }>(RELAY_LAG);
      return row?.lag === 0 || undefined;
    });
    const stored = await muster.sql<{ topic: string; offs: number[] }>(
      `select topic, array_agg(part * 1000000 + off::int order by part, off) as offs from log.record group by topic`,
    );
    let repeats = 0;
    for (const { topic, offs } of stored) {
      const partitions = await this.recordsOf(topic);
      const once = partitions.flatMap((records, part) => [
        ...new Set(records.map((each) => part * 1_000_000 + logOffsetOf(each))),
      ]);
      expect(once, topic).toEqual(offs); // in this order
      repeats += partitions.flat().length - once.length;
    }
    return repeats;
  }

  async remove(): Promise<void> {
    await this.own?.close();
    await stopKafka(this.folder.path);
    await this.link?.close();
    this.folder.remove();
  }
}

const logOffsetOf = ({ headers }: FetchedRecord): number => Number(String(headers['log-offset']));

/** Events that Postgres has and Kafka has not acknowledged. */
export const RELAY_LAG = `
  select coalesce(sum(h.next_off - coalesce(r.next_off, 0)), 0)::int as lag
  from log.head h left join log.relay r using (topic, part) where h.topic <> 'muster.device'`;

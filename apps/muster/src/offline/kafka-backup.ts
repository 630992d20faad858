import {
  compareFacts,
  dumpFacts,
  KafkaError,
  KafkajsClient,
  KafkaSide,
  EventLogError,
  nextOffset,
  loadFacts,
  PARTITIONS,
  type Position,
  type Topic,
  TOPICS,
} from '#event-log/index.js';
import { type Log, systemClock } from '#runtime/index.js';
import { BackupError, factFile, type Manifest, readTable, writeTable } from './backup-folder.js';

type InKafka = NonNullable<Manifest['kafka']>;

/** The topic that is in Kafka alone; the relay publishes all others again. */
export const FACTS: Topic = 'muster.device';

export async function saveFacts(folder: string, kafka: KafkaSide, ends: Position): Promise<InKafka['facts']> {
  const saved: InKafka['facts'][number][] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const end = nextOffset(ends, FACTS, partition);
    if (end === 0) continue;
    const pages = dumpFacts(kafka.client, { partition, end });
    saved.push({ partition, ...(await writeTable(factFile(folder, partition), pages)) });
  }
  return saved;
}

/** The Kafka that a backup is restored beside: an empty one, or one that holds no more of the relayed topics than the backup. */
export class KafkaTarget {
  private constructor(
    private readonly side: KafkaSide,
    private readonly missing: readonly { partition: number; from: number }[],
    /** Next log offsets that it has of the relayed topics. */
    readonly relayed: Position,
    /** Facts of devices that came after the backup, and stay. */
    readonly newerFacts: number,
  ) {}

  /**
   * Looks, and makes topics at most.
   * @throws KafkaError `kafka.ahead`, `kafka.diverged`; EventLogError `log.kept-on-kafka`; BackupError `restore.kept-on-postgres`
   */
  static async open(
    brokers: readonly string[] | undefined,
    { folder, manifest }: { folder: string; manifest: Manifest },
    log: Log,
  ): Promise<KafkaTarget | undefined> {
    const { kafka } = manifest;
    requireSameKeeper(kafka !== undefined, brokers !== undefined);
    if (kafka === undefined || brokers === undefined) return undefined;
    const side = await KafkaSide.open(new KafkajsClient({ brokers, log }), { clock: systemClock, log });
    try {
      const heads = await side.reader.heads(TOPICS);
      for (const [place, next] of Object.entries(heads)) requireNotAhead(place, next, kafka.ends[place] ?? 0);
      const missing: { partition: number; from: number }[] = [];
      let newerFacts = 0;
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const end = nextOffset(heads, FACTS, partition);
        const saved = savedFacts(folder, kafka, partition);
        const { equal, newer } = await compareFacts(side.client, { partition, end }, saved);
        newerFacts += newer;
        if (newer === 0) missing.push({ partition, from: equal });
      }
      return new KafkaTarget(side, missing, heads, newerFacts);
    } catch (error) {
      await side.close();
      throw error;
    }
  }

  /** Produces the facts that are not there; when it is cut off, a restore goes on from where it was. */
  async fill({ folder, manifest: { kafka } }: { folder: string; manifest: Manifest }): Promise<void> {
    for (const { partition, from } of kafka === undefined ? [] : this.missing)
      await loadFacts(this.side.client, { partition, from }, savedFacts(folder, kafka!, partition));
  }

  close(): Promise<void> {
    return this.side.close();
  }
}

async function* savedFacts(folder: string, { facts }: InKafka, partition: number) {
  if (facts.some((each) => each.partition === partition)) yield* readTable(factFile(folder, partition));
}

function requireSameKeeper(wasOnKafka: boolean, isOnKafka: boolean): void {
  if (wasOnKafka && !isOnKafka)
    throw new EventLogError(
      'log.kept-on-kafka',
      { missing: ['MUSTER_LOG', 'KAFKA_BROKERS'] },
      'this backup is of a log on Kafka: set MUSTER_LOG=kafka and KAFKA_BROKERS',
    );
  if (!wasOnKafka && isOnKafka)
    throw new BackupError(
      'restore.kept-on-postgres',
      {},
      'this backup is of a log in Postgres: set MUSTER_LOG=postgres',
    );
}

/** What Kafka has beyond the backup would be taken for this log's, at offsets that are given out anew. */
function requireNotAhead(place: string, kafka: number, backup: number): void {
  const [topic, partition] = place.split('/');
  if (topic === FACTS || kafka <= backup) return;
  throw new KafkaError(
    'kafka.ahead',
    { topic, partition: Number(partition), kafka, backup },
    `${place}: Kafka holds the log up to ${kafka}, the backup up to ${backup}: restore a newer backup, or beside an empty Kafka, which loses what came after it`,
  );
}

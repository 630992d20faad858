import { archiveName, type ArchiveFile, type ArchiveReader } from './archive-reader.js';
import type { Tx } from './database.js';
import { type RawRecord, STORED_COLUMNS } from './envelope.js';
import { EventLogError, type Topic } from './event-log.js';
import type { Report } from './finding.js';
import type { KafkaClient } from './kafka/kafka-client.js';
import { decodeRecord, type RecordFault } from './kafka/kafka-record.js';
import { endsOf, scan } from './kafka/kafka-scan.js';
import { STRAIGHT } from './kafka/kafka-topics.js';

/** What stands at an offset: a record, or why none can be read there. */
export type Audited = RawRecord | { off: number; fault: RecordFault };

/** One topic for one audit: every partition up to where it ended when the audit began. */
export interface AuditSource {
  /** Offset after the last record, by whoever keeps count; undefined when nobody does. */
  end(partition: number): number | undefined;
  pages(partition: number): AsyncIterable<readonly Audited[]>;
  /** Whether one clock, the database's, gave the times of receipt. */
  hasOneClock: boolean;
}

const BATCH = 2_000;

interface TableOptions {
  tx: Tx;
  archive: ArchiveReader;
  report: Report;
}

/** A topic in the log's table, and in its archive files, as the transaction sees it. */
export async function tableSource(options: TableOptions, topic: Topic): Promise<AuditSource> {
  const { tx } = options;
  const heads = await tx.query<{ part: number; next_off: number }>(
    'select part, next_off from log.head where topic = $1',
    [topic],
  );
  return {
    end: (partition) => heads.find(({ part }) => part === partition)?.next_off,
    pages: (partition) => tablePages(options, topic, partition),
    hasOneClock: true,
  };
}

async function* tablePages(options: TableOptions, topic: Topic, partition: number): AsyncGenerator<RawRecord[]> {
  const { tx, archive } = options;
  let next = 0;
  for (let file: ArchiveFile | undefined; (file = await archive.find(tx, topic, partition, next)) !== undefined; ) {
    yield* filePages(options, file);
    next = file.next;
  }
  for (;;) {
    const rows = await tx.query<RawRecord>(
      `select ${STORED_COLUMNS}, data::text as raw from log.record
       where topic = $1 and part = $2 and off >= $3 order by off limit ${BATCH}`,
      [topic, partition, next],
    );
    yield rows;
    if (rows.length < BATCH) return;
    next = (rows.at(-1)?.off ?? next) + 1;
  }
}

/** Every byte of a file has a digest in the database. What cannot be read is named, and then is a hole. */
async function* filePages({ archive, report }: TableOptions, file: ArchiveFile): AsyncGenerator<RawRecord[]> {
  try {
    yield* archive.pages(file);
  } catch (error) {
    if (!(error instanceof EventLogError)) throw error;
    report({ invariant: 'I1', code: error.code, where: `archive/${archiveName(file)}`, message: error.message });
  }
}

/** Facts of devices where Kafka alone keeps them: its offset is the log's. Reads up to Kafka's ends of now. */
export async function factSource(client: KafkaClient): Promise<AuditSource> {
  const ends = await endsOf(client, STRAIGHT);
  return {
    end: (partition) => ends[partition],
    pages: (partition) => factPages(client, partition, ends[partition] ?? 0),
    hasOneClock: false,
  };
}

async function* factPages(client: KafkaClient, partition: number, end: number): AsyncGenerator<Audited[]> {
  for await (const records of scan(client, { topic: STRAIGHT, partition, end }))
    yield records.map((record) => {
      const off = record.offset;
      const decoded = decodeRecord(STRAIGHT, { part: partition, off }, record);
      if ('fault' in decoded) return { off, fault: decoded.fault };
      return { ...decoded.stored, raw: record.value?.toString('utf8') ?? '' };
    });
}

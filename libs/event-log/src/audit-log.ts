import type { ArchiveReader } from './archive-reader.js';
import { type Audited, type AuditSource, tableSource } from './audit-source.js';
import type { EventCatalog } from './catalog.js';
import type { Tx } from './database.js';
import { type RawRecord, subjectOf } from './envelope.js';
import { EventLogError, type EventRecord, PARTITIONS, type Topic, TOPICS } from './event-log.js';
import { type Finding, type Invariant, type Report, type RoomAuditor } from './finding.js';
import { STRAIGHT } from './kafka/kafka-topics.js';
import { type Keyring, KeyringError } from './keyring.js';
import type { LogChain } from './log-chain.js';
import { partitionOf } from './murmur2.js';
import { openRecord } from './opening.js';
import { holdsPlainPersonal, holdsSealed, openSealed, unopened } from './seal.js';
import { SequenceCounter, type SequenceCounts } from './sequence-counter.js';

export interface LogAudit {
  records: number;
  streams: number;
  sequences: SequenceCounts;
}

interface AuditLogOptions {
  /** REPEATABLE READ, of a role under no row-level security: log and rows are of one moment. */
  tx: Tx;
  events: EventCatalog;
  keyring: Keyring;
  rooms: readonly RoomAuditor[];
  report: Report;
  /** Where old records are. */
  archive: ArchiveReader;
  /** Grows by four bytes a record, so it is there only when somebody keeps or compares a head. */
  chain?: LogChain;
  /** Where Kafka keeps the facts of devices. Its ends are from after the first look of `tx`: no row is ahead of them. */
  facts?: () => Promise<AuditSource>;
}

/** Reads the whole log once: what concerns every record is checked here, the rest by the rooms. */
export async function auditLog(options: AuditLogOptions): Promise<LogAudit> {
  const tenants = await options.tx.query<{ tenant: string }>('select tenant from ops.tenant');
  const audit = new Walk(options, new Set(tenants.map(({ tenant }) => tenant)));
  const facts = await options.facts?.();
  for (const topic of TOPICS) {
    const table = await tableSource(options, topic);
    await audit.topic(topic, topic === STRAIGHT ? (facts ?? table) : table);
  }
  await audit.wholes();
  return { records: audit.records, streams: audit.streams, sequences: audit.sequences.counts };
}

class Walk {
  records = 0;
  streams = 0;
  readonly sequences: SequenceCounter;
  /** Subjects whose sealed fields did not open, by the first place. */
  private readonly keyless = new Map<string, string>();

  constructor(
    private readonly options: AuditLogOptions,
    private readonly tenants: ReadonlySet<string>,
  ) {
    this.sequences = new SequenceCounter(options.report);
  }

  async topic(topic: Topic, source: AuditSource): Promise<void> {
    const versions = new Map<string, number>();
    for (let part = 0; part < PARTITIONS; part += 1) {
      const next = await this.partition(topic, part, source, versions);
      const head = source.end(part);
      if (head !== next)
        this.find('I1', 'log.head', `${topic}/${part}/${next}`, `the records end at ${next}, the counter at ${head}`);
    }
    await this.streamRows(topic, versions);
  }

  /** @returns the offset after the last record */
  private async partition(
    topic: Topic,
    part: number,
    source: AuditSource,
    versions: Map<string, number>,
  ): Promise<number> {
    let next = 0;
    let lastAt = 0;
    for await (const page of source.pages(part)) {
      const keys = await this.keysOf(page.filter(isRecord));
      for (const row of page) {
        const where = `${topic}/${part}/${row.off}`;
        if (row.off !== next)
          this.find('I1', 'log.hole', `${topic}/${part}/${next}`, `${row.off - next} records are missing`);
        next = row.off + 1;
        this.records += 1;
        this.options.chain?.add(topic, part, row);
        if (!isRecord(row)) {
          this.find('I4', row.fault.code, where, row.fault.message);
          continue;
        }
        if (source.hasOneClock && row.received_at.getTime() < lastAt)
          this.find('I2', 'log.time-back', where, 'received before its precursor');
        lastAt = row.received_at.getTime();
        this.envelope(topic, row, where);
        this.version(topic, row, versions, where);
        this.content(topic, row, keys.get(row.stream), where);
      }
    }
    return next;
  }

  /** Key, tenant, stream and partition say the same. */
  private envelope(topic: Topic, row: RawRecord, where: string): void {
    const { tenant, stream } = row;
    if (!stream.startsWith(`${tenant}/`)) this.find('I7', 'log.key', where, `key ${stream} is not of tenant ${tenant}`);
    if (!this.tenants.has(tenant)) this.find('I7', 'log.tenant', where, `there is no tenant ${tenant}`);
    const named = (row.data as { partition?: unknown }).partition; // a batch names its partition itself
    const part = row.type.startsWith('muster.device.polls-recorded.') ? named : partitionOf(stream);
    if (part !== row.part)
      this.find('I7', 'log.partition', where, `key ${stream} belongs to partition ${String(part)}`);
    if (topic === 'muster.device') this.sequences.add(row, where);
  }

  private version(topic: Topic, { stream, ver }: RawRecord, versions: Map<string, number>, where: string): void {
    if (ver === 0) return;
    const last = versions.get(stream) ?? 0;
    if (ver !== last + 1) this.find('I2', 'log.version', where, `${stream} has version ${ver} after ${last}`);
    versions.set(stream, ver);
    if (topic === 'muster.device') this.find('I2', 'log.version', where, 'a fact has no version');
  }

  /** Opens, upcasts, validates, and shows the rooms what a reader would get. */
  private content(topic: Topic, row: RawRecord, key: Uint8Array | undefined, where: string): void {
    const { events, rooms } = this.options;
    let record: EventRecord;
    try {
      const pointers = unopened(row.data, openSealed(row.data, row.event_id, key));
      if (pointers.length > 0 && key !== undefined)
        this.find('I1', 'log.seal', where, `${pointers.join(', ')} does not open under its subject's key`);
      if (pointers.length > 0 && key === undefined) this.keyless.set(`${row.tenant}/${subjectOf(row)}`, where);
      record = openRecord(topic, row, events, key);
      this.schema(record, row, pointers, where);
    } catch (error) {
      this.find('I4', 'log.unreadable', where, messageOf(error));
      return;
    }
    for (const room of rooms) room.visit(record);
  }

  /** What was erased is null, whatever the schema says. */
  private schema({ topic, type, data }: EventRecord, row: RawRecord, erased: readonly string[], where: string): void {
    try {
      const { schema, wire } = this.options.events.check(topic, { type, data });
      if (wire === row.type && holdsPlainPersonal(row.data, schema))
        this.find('I7', 'log.personal-plain', where, 'a personal field is not sealed');
    } catch (error) {
      if (!(error instanceof EventLogError)) throw error;
      const fields = error.fields.filter(({ pointer }) => !erased.includes(pointer));
      if (error.fields.length > 0 && fields.length === 0) return;
      const named = fields.map(({ pointer, message }) => `${pointer} ${message}`).join('; ');
      this.find('I4', error.code, where, `${type} ${named}`.trim());
    }
  }

  private async keysOf(rows: readonly RawRecord[]): Promise<Map<string, Uint8Array>> {
    const keys = new Map<string, Uint8Array>();
    const sealed = rows.filter(({ data }) => holdsSealed(data));
    for (const [name, row] of new Map(sealed.map((each) => [each.stream, each]))) {
      try {
        const subject = subjectOf(row);
        const key = (await this.options.keyring.subjectKeys(row.tenant, [subject])).get(subject);
        if (key !== undefined) keys.set(name, key);
      } catch (error) {
        if (!(error instanceof KeyringError)) throw error;
        this.find('I1', 'keyring.broken', `ops.keyring ${name}`, "the subject's key does not open");
      }
    }
    return keys;
  }

  private async streamRows(topic: Topic, versions: Map<string, number>): Promise<void> {
    const rows = await this.options.tx.query<{ stream: string; tenant: string; ver: number }>(
      'select stream, tenant, ver from log.stream where topic = $1 and ver > 0',
      [topic],
    );
    const known = new Map(rows.map(({ stream, ver }) => [stream, ver]));
    for (const stream of new Set([...known.keys(), ...versions.keys()])) {
      const [row = 0, log = 0] = [known.get(stream), versions.get(stream)];
      if (row !== log)
        this.find('I2', 'log.stream', `log.stream ${topic} ${stream}`, `version ${row}, but the records say ${log}`);
    }
    this.streams += versions.size;
  }

  /** What no single record shows. */
  async wholes(): Promise<void> {
    const { tx } = this.options;
    const twice = await tx.query<{ event_id: string; places: string[] }>(
      `select event_id, array_agg(topic || '/' || part || '/' || off) as places from log.record
       group by event_id having count(*) > 1`,
    );
    for (const { event_id, places } of twice)
      this.find('I2', 'log.event-twice', places[0] ?? '', `event ${event_id} is also at ${places.slice(1).join(', ')}`);
    const both = await tx.query<{ place: string; n: number }>(
      `select r.topic || '/' || r.part || '/' || min(r.off) as place, count(*) as n from log.record r
       join (select topic, part, max(next_off) as next from log.archive group by topic, part) a using (topic, part)
       where r.off < a.next group by r.topic, r.part`,
    );
    for (const { place, n } of both)
      this.find('I2', 'archive.twice', place, `${n} records are in the table and in files`);
    const again = await tx.query<{ place: string; command_id: string }>(
      `select min(topic || '/' || part || '/' || off) as place, command_id from log.record where ver > 0
       group by topic, stream, command_id having max(ver) - min(ver) + 1 <> count(*)`,
    );
    for (const { place, command_id } of again)
      this.find('I2', 'log.command-twice', place, `command ${command_id} was carried out more than once`);
    await this.lostKeys();
  }

  /** A key that was destroyed leaves its row, without a key; one that is lost leaves none. */
  private async lostKeys(): Promise<void> {
    for (const [name, where] of this.keyless) {
      const slash = name.indexOf('/');
      const erased = await this.options.tx.query(
        `select 1 from ops.keyring where tenant = $1 and purpose = 'subject' and id = $2 and wrapped is null`,
        [name.slice(0, slash), name.slice(slash + 1)],
      );
      if (erased.length === 0) this.find('I1', 'keyring.lost', where, `the key of ${name} is gone, but not forgotten`);
    }
  }

  private find(invariant: Invariant, code: string, where: string, message: string): void {
    this.options.report({ invariant, code, where, message } satisfies Finding);
  }
}

const isRecord = (row: Audited): row is RawRecord => !('fault' in row);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

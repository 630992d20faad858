import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { type EventRecord, placeOf, type Report, type RoomAuditor, type Tx } from '#event-log/index.js';
import { drive, TufClient } from '#tuf/index.js';
import type { CatalogueEvent, ContentEvent, DeviceFactByServer } from './events.js';

interface FileRow {
  tenant: string;
  channel: string;
  name: string;
  role: string | null;
  version: number | null;
  bytes: Buffer;
  sha256: string;
  digest: string | null;
  created_at: Date;
}
type Published = Extract<CatalogueEvent, { type: 'CataloguePublished' }>['data'];

interface Numbered {
  epoch: number;
  n: number;
}
/** Of one device: its furthest fact, and the furthest that it has surely been answered. */
interface Sequences {
  last: Numbered;
  answered: Numbered;
  /** Of the last. */
  commandId: string;
}
const NONE: Numbered = { epoch: 0, n: 0 };
const isBehind = (one: Numbered, other: Numbered): boolean =>
  one.epoch < other.epoch || (one.epoch === other.epoch && one.n < other.n);

/** A grant, and what a device cannot report without having one. */
const GRANT_FACTS = new Set(['GrantIssued', 'TransferStarted', 'TransferResumed', 'TransferCompleted']);

/** The rows and files that follow from the log: grants, inboxes, sequences, signed catalogues, bytes of contents. */
export class CampaignRowsAuditor implements RoomAuditor {
  private readonly files = new Map<string, string>();
  private readonly granted = new Map<string, string>();
  private readonly ordered = new Map<string, string>();
  private readonly issued = new Map<string, string>();
  private readonly sequences = new Map<string, Sequences>();
  private readonly published = new Map<string, Published & { where: string }>();

  constructor(
    private readonly report: Report,
    /** Of the installation; contents lie below it. Undefined where they are kept elsewhere. */
    private readonly dataDir: string | undefined,
    /** Facts are durable before the rows that go with them: what nobody was answered yet may be in the log alone. */
    private readonly factsFirst = false,
  ) {}

  visit(record: EventRecord): void {
    const { tenant, subject } = record;
    const where = placeOf(record);
    const event = record as unknown as ContentEvent | CatalogueEvent | DeviceFactByServer;
    this.sequence(record);
    if (event.type === 'ContentPublished') this.files.set(event.data.sha256, where);
    if (event.type === 'CataloguePublished')
      this.published.set(`${tenant}/${event.data.channel}`, { ...event.data, where });
    this.grant(record, where);
    if (event.type === 'ProcessingOrdered') this.ordered.set([tenant, subject, event.data.inboxId].join('/'), where);
  }

  async finish(tx: Tx): Promise<void> {
    const granted = "concat_ws('/', tenant, campaign_id, device_id, content_id)";
    await this.rows(tx, { table: 'ops.granted', key: granted, expected: this.granted, isExact: false });
    const ordered = "concat_ws('/', tenant, device_id, item_id)";
    await this.rows(tx, {
      table: 'ops.inbox_item',
      key: ordered,
      expected: this.ordered,
      where: "body->>'kind' = 'process'",
    });
    await this.highest(tx);
    await this.catalogues(tx);
    await this.contents();
  }

  /** With facts first only a grant that its device makes use of shows that it was given. */
  private grant({ tenant, subject, type, data }: EventRecord, where: string): void {
    if (!GRANT_FACTS.has(type)) return;
    const { campaignId, contentId } = data as { campaignId: string; contentId: string };
    const key = [tenant, campaignId, subject, contentId].join('/');
    if (type === 'GrantIssued') this.issued.set(key, where);
    const issued = this.issued.get(key);
    if (issued !== undefined && (type !== 'GrantIssued' || !this.factsFirst)) this.granted.set(key, issued);
  }

  private sequence({ topic, tenant, subject, sequence, commandId }: EventRecord): void {
    if (topic !== 'muster.device' || sequence?.source !== `device:${subject}`) return;
    const known = this.sequences.get(`${tenant}/${subject}`) ?? { last: NONE, answered: NONE, commandId };
    if (!isBehind(known.last, sequence)) return;
    // A handset sends on only when it has an answer: what was before the last command was answered.
    const answered = known.commandId === commandId ? known.answered : known.last;
    this.sequences.set(`${tenant}/${subject}`, { last: sequence, answered, commandId });
  }

  /** @param of.isExact a row without an event is a breach too; a grant's row may come without one, when the event was cut off */
  private async rows(
    tx: Tx,
    of: { table: string; key: string; expected: ReadonlyMap<string, string>; where?: string; isExact?: boolean },
  ): Promise<void> {
    const { table, key, expected, where = 'true', isExact = true } = of;
    const rows = await tx.query<{ key: string }>(`select ${key} as key from ${table} where ${where}`);
    const keys = new Set(rows.map((row) => row.key));
    for (const [wanted, place] of expected)
      if (!keys.has(wanted)) this.find('I5', 'row.missing', `${table} ${wanted}`, `${place} says that it is there`);
    if (!isExact) return;
    for (const stray of keys)
      if (!expected.has(stray)) this.find('I5', 'row.stray', `${table} ${stray}`, 'no event says so');
  }

  private async highest(tx: Tx): Promise<void> {
    const rows = await tx.query<{ tenant: string; device_id: string; epoch: number; n: number }>(
      'select tenant, device_id, epoch, n from ops.device_sequence',
    );
    const left = new Map(this.sequences);
    for (const { tenant, device_id, epoch, n } of rows) {
      const log = this.expectedOf(left.get(`${tenant}/${device_id}`));
      left.delete(`${tenant}/${device_id}`);
      // It may be ahead: facts of what was never offered are acknowledged and not recorded. Behind, it takes facts twice.
      if (isBehind({ epoch, n }, log))
        this.find(
          'I1',
          'row.behind',
          `ops.device_sequence ${tenant}/${device_id}`,
          `(${epoch}, ${n}), the log ends at (${log.epoch}, ${log.n})`,
        );
    }
    for (const [key, sequences] of left)
      if (this.expectedOf(sequences) !== NONE)
        this.find('I1', 'row.missing', `ops.device_sequence ${key}`, 'the log has facts of it');
  }

  private expectedOf(sequences: Sequences | undefined): Numbered {
    return (this.factsFirst ? sequences?.answered : sequences?.last) ?? NONE;
  }

  private async catalogues(tx: Tx): Promise<void> {
    const files = await tx.query<FileRow>('select * from ops.tuf_file order by tenant, channel, name');
    const channels = new Set([...this.published.keys(), ...files.map(({ tenant, channel }) => `${tenant}/${channel}`)]);
    for (const channel of channels) {
      const own = files.filter((file) => `${file.tenant}/${file.channel}` === channel);
      for (const { name, bytes, sha256 } of own)
        if (createHash('sha256').update(bytes).digest('hex') !== sha256)
          this.find('I6', 'tuf.digest', `ops.tuf_file ${channel}/${name}`, 'the bytes are not those of its digest');
      await this.catalogue(channel, new Map(own.map((file) => [file.name, file])));
    }
  }

  /** As a handset would: from the first root on, by the time at which the timestamp was signed. */
  private async catalogue(channel: string, files: ReadonlyMap<string, FileRow>): Promise<void> {
    const last = this.published.get(channel);
    const timestamp = files.get('timestamp.json');
    const root = files.get('1.root.json');
    const where = `ops.tuf_file ${channel}`;
    if (root === undefined || timestamp === undefined) {
      if (last !== undefined || root === undefined) this.find('I6', 'tuf.missing', where, 'no root, or no timestamp');
      return;
    }
    try {
      const version = await this.walk(channel, root.bytes, timestamp, files);
      if (version !== last?.version)
        this.find('I6', 'tuf.version', where, `serves snapshot ${version}, the log published ${last?.version}`);
      if (timestamp.digest !== last?.digest)
        this.find('I6', 'tuf.digest', `${where}/timestamp.json`, `is of ${timestamp.digest}, not of ${last?.digest}`);
    } catch (error) {
      this.find('I6', 'tuf.refused', where, error instanceof Error ? error.message : String(error));
    }
  }

  /** @returns the version of the snapshot that a client ends at. @throws TufError */
  private async walk(
    channel: string,
    root: Uint8Array,
    timestamp: FileRow,
    files: ReadonlyMap<string, FileRow>,
  ): Promise<number | undefined> {
    const client = new TufClient({ root, now: timestamp.created_at.getTime() });
    const nothing = async () => undefined;
    const fetch = async (name: string) => files.get(name)?.bytes;
    const ports = { load: nothing, store: nothing, remove: nothing, fetch };
    await drive(client.refresh(), ports);
    for (const { path: target, hashes } of await drive(client.targets(), ports))
      this.target(channel, target, Object.values(hashes)[0] ?? '', files);
    return client.trusted.snapshot?.version;
  }

  private target(channel: string, target: string, digest: string, files: ReadonlyMap<string, FileRow>): void {
    if (target.startsWith('content/')) {
      if (!this.files.has(digest))
        this.find(
          'I5',
          'tuf.unpublished',
          `ops.tuf_file ${channel}/${target}`,
          'no content was published with these bytes',
        );
      return;
    }
    const slash = target.lastIndexOf('/') + 1;
    const name = `targets/${target.slice(0, slash)}${digest}.${target.slice(slash)}`;
    if (files.get(name)?.sha256 !== digest)
      this.find('I6', 'tuf.missing', `ops.tuf_file ${channel}/${name}`, 'signed, but not there');
  }

  private async contents(): Promise<void> {
    if (this.dataDir === undefined) return;
    for (const [sha256, where] of this.files) {
      const file = path.join(this.dataDir, 'contents', sha256.slice(0, 2), sha256);
      const actual = await digestOf(file);
      if (actual !== sha256)
        this.find('I5', actual === undefined ? 'file.missing' : 'file.changed', file, `published at ${where}`);
    }
  }

  private find(invariant: 'I1' | 'I5' | 'I6', code: string, where: string, message: string): void {
    this.report({ invariant, code, where, message });
  }
}

async function digestOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1_048_576 })) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

import {
  type EventRecord,
  type MaybeFaulty,
  nextOffset,
  PARTITIONS,
  type Position,
  type PostgresLog,
} from '#event-log/index.js';
import type { Kept } from '#identity/index.js';
import type { AttributeSchema, Attributes } from '#matching/index.js';
import type { CutBy, Replay } from '../dry-run.js';
import { type DeviceFactByServer, unpackPolls } from '../events.js';
import { knownBy } from '../values.js';

/**
 * What one dry run may take. A device costs about 0.3 KB and a record is read at 20,000 a second and more; what is over the
 * limits is left out, and the report says that it is partial.
 */
export const LIMITS = {
  /** Of `muster.device`, all tenants', the newest: others' are passed over unopened, which still takes a look. */
  records: 2_000_000,
  devices: 1_000_000,
  /** Of which something is kept: each costs a look. */
  kept: 20_000,
  ms: 60_000,
  /** Where somebody waits for something else. */
  hastyMs: 15_000,
} as const;

const TOPIC = 'muster.device';
/** Records of batches of polls are large, and twelve partitions are open at a time. */
const PAGE = 200;

/** What of the fleet is no event of `muster.device`. */
export interface RecordedFleet {
  /** By the number of the device. */
  ids: ReadonlyMap<number, string>;
  /** By the id of the device; of most nothing is. */
  kept: Map<string, Kept>;
  cutBy: ReadonlySet<CutBy>;
}

interface Around {
  tenant: string;
  channel: string;
  schema: AttributeSchema;
  fleet: RecordedFleet;
  /** ms */
  from: number;
  /** By `performance.now()`. */
  deadline: number;
}

type Described = Extract<DeviceFactByServer, { type: 'HandsetDescribed' }>['data'];
type Polls = Extract<DeviceFactByServer, { type: 'PollsRecorded' }>['data'];

/** What was recorded of devices, for a replay: first what they had told before, then what came in the time that is replayed. */
export class ReplayedLog {
  private readonly own: ReadonlySet<string>;

  constructor(
    private readonly log: Pick<PostgresLog, 'readTolerantly'>,
    private readonly heads: Position,
    private readonly around: Around,
  ) {
    this.own = new Set(around.fleet.ids.values());
  }

  /**
   * What was told before has half of the time that is left, each partition its share: the polls are what is asked for.
   * @returns why not all was read, and up to when it was, ms, where the polls were cut
   */
  async into(replay: Replay): Promise<{ cutBy: ReadonlySet<CutBy>; reached: number | undefined }> {
    const cutBy = new Set<CutBy>();
    const half = (performance.now() + this.around.deadline) / 2;
    const cursors: Cursor[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const now = performance.now();
      const until = now + (half - now) / (PARTITIONS - partition);
      const head = nextOffset(this.heads, TOPIC, partition);
      const back = Math.max(0, head - Math.floor(LIMITS.records / PARTITIONS));
      const start = Math.max(back, await this.firstSince(partition, back, head));
      if (back > 0) cutBy.add('records');
      const cursor = new Cursor(this.log, this.around.tenant, { partition, from: back, to: head });
      if (!(await this.before(replay, cursor, { start, until }))) cutBy.add('time');
      cursors.push(cursor);
    }
    const reached = await this.merged(replay, cursors);
    if (reached !== undefined) cutBy.add('time');
    return { cutBy, reached };
  }

  /** The first record that was received since then: they are in the order of their receipt. Whose it is does not matter. */
  private async firstSince(partition: number, from: number, head: number): Promise<number> {
    let [low, high] = [from, head];
    while (low < high && !this.isLate()) {
      const middle = Math.floor((low + high) / 2);
      const [record] = await this.log.readTolerantly(TOPIC, partition, middle, 1);
      if (record !== undefined && Date.parse(record.receivedAt) < this.around.from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What was told last before the time. Leaves the cursor at its start. @returns false when the time was up */
  private async before(
    replay: Replay,
    cursor: Cursor,
    { start, until }: { start: number; until: number },
  ): Promise<boolean> {
    for (;;) {
      const record = await cursor.peek();
      if (record === undefined || record.offset >= start) return true;
      if (performance.now() > until) break;
      if (record.type === 'HandsetDescribed') this.describe(replay, record);
      cursor.step();
    }
    cursor.skipTo(start);
    return false;
  }

  /** All partitions, by when their records were received. @returns up to when, if the time was up before the end */
  private async merged(replay: Replay, cursors: readonly Cursor[]): Promise<number | undefined> {
    let reached = this.around.from;
    const open: { cursor: Cursor; record: MaybeFaulty | undefined }[] = [];
    for (const cursor of cursors) {
      if (this.isLate()) return reached;
      open.push({ cursor, record: await cursor.peek() });
    }
    for (;;) {
      let first: (typeof open)[number] | undefined;
      for (const each of open)
        if (each.record !== undefined && (first === undefined || each.record.receivedAt < first.record!.receivedAt))
          first = each;
      if (first?.record === undefined) return undefined;
      if (this.isLate()) return reached;
      const { record } = first;
      if (record.type === 'HandsetDescribed') this.describe(replay, record);
      if (record.type === 'PollsRecorded') this.poll(replay, record);
      reached = Math.max(reached, Date.parse(record.receivedAt));
      first.cursor.step();
      first.record = await first.cursor.peek();
    }
  }

  private isLate(): boolean {
    return performance.now() > this.around.deadline;
  }

  private describe(replay: Replay, record: MaybeFaulty): void {
    const { tenant, subject: deviceId } = record;
    if (tenant !== this.around.tenant || record.fault !== undefined || !this.own.has(deviceId)) return;
    const told = record.data as Described;
    replay.known({ deviceId, attributes: this.attributesOf(record, told), zone: told.zone ?? undefined });
  }

  private attributesOf({ subject, receivedAt: at }: EventRecord, { attributes }: Described): Attributes | null {
    if (attributes === null) return null;
    return knownBy(this.around.schema, { attributes, at }, this.around.fleet.kept.get(subject) ?? {});
  }

  private poll(replay: Replay, { tenant, fault, data }: MaybeFaulty): void {
    const polls = data as Polls;
    if (fault !== undefined || tenant !== this.around.tenant || polls.channel !== this.around.channel) return;
    for (const { deviceNo, at } of unpackPolls(polls)) {
      const deviceId = this.around.fleet.ids.get(deviceNo);
      if (deviceId !== undefined) replay.polled(deviceId, at);
    }
  }
}

/** Of one partition what is the tenant's, a page at a time: what is others' is left out by the log, unopened. */
class Cursor {
  private page: readonly MaybeFaulty[] = [];
  private at = 0;
  private from: number;

  constructor(
    private readonly log: Pick<PostgresLog, 'readTolerantly'>,
    private readonly tenant: string,
    private readonly range: { partition: number; from: number; to: number },
  ) {
    this.from = range.from;
  }

  /** The next record; undefined at the end. */
  async peek(): Promise<MaybeFaulty | undefined> {
    const { partition, to } = this.range;
    if (this.at >= this.page.length && this.from < to) {
      this.page = await this.log.readTolerantly(TOPIC, partition, this.from, PAGE, this.tenant);
      this.at = 0;
      this.from = this.page.length < PAGE ? to : this.page.at(-1)!.offset + 1;
    }
    const record = this.page[this.at];
    return record !== undefined && record.offset < to ? record : undefined;
  }

  step(): void {
    this.at += 1;
  }

  skipTo(offset: number): void {
    const found = this.page.findIndex((record, i) => i >= this.at && record.offset >= offset);
    if (found >= 0) {
      this.at = found;
      return;
    }
    this.at = this.page.length;
    this.from = Math.max(this.from, offset);
  }
}

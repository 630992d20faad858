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
import type { Replay } from '../dry-run.js';
import { type DeviceFactByServer, unpackPolls } from '../events.js';
import { comparedBy } from '../values.js';

/**
 * What one dry run may take. A device costs about 0.3 KB and a record is read at 20,000 a second and more; what is over the
 * limits is left out, and the report says that it is partial.
 */
export const LIMITS = {
  /** Of `muster.device`, all tenants', the newest. */
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
  isPartial: boolean;
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
    private readonly log: PostgresLog,
    private readonly heads: Position,
    private readonly around: Around,
  ) {
    this.own = new Set(around.fleet.ids.values());
  }

  /** @returns whether all was read, and if not up to when it was, ms */
  async into(replay: Replay): Promise<{ isWhole: boolean; reached: number | undefined }> {
    let isWhole = true;
    const cursors: Cursor[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const head = nextOffset(this.heads, TOPIC, partition);
      const start = await this.firstSince(partition, head);
      const back = Math.max(0, head - Math.floor(LIMITS.records / PARTITIONS));
      if (!(await this.before(replay, partition, back, start)) || back > 0) isWhole = false;
      cursors.push(new Cursor(this.log, partition, Math.max(start, back), head));
    }
    const reached = await this.merged(replay, cursors);
    return { isWhole: isWhole && reached === undefined, reached };
  }

  /** The first record that was received since then: they are in the order of their receipt. */
  private async firstSince(partition: number, head: number): Promise<number> {
    let [low, high] = [0, head];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [record] = await this.log.readTolerantly(TOPIC, partition, middle, 1);
      if (record !== undefined && Date.parse(record.receivedAt) < this.around.from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What was told last before the time. @returns false when the time was up */
  private async before(replay: Replay, partition: number, from: number, to: number): Promise<boolean> {
    const cursor = new Cursor(this.log, partition, from, to);
    for (let record = await cursor.next(); record !== undefined; record = await cursor.next()) {
      if (record.type === 'HandsetDescribed') this.describe(replay, record);
      if (this.isLate()) return false;
    }
    return true;
  }

  /** All partitions, by when their records were received. @returns up to when, if the time was up before the end */
  private async merged(replay: Replay, cursors: readonly Cursor[]): Promise<number | undefined> {
    const open = await Promise.all(cursors.map(async (cursor) => ({ cursor, record: await cursor.next() })));
    for (;;) {
      let first: (typeof open)[number] | undefined;
      for (const each of open)
        if (each.record !== undefined && (first === undefined || each.record.receivedAt < first.record!.receivedAt))
          first = each;
      if (first?.record === undefined) return undefined;
      const { record } = first;
      if (record.type === 'HandsetDescribed') this.describe(replay, record);
      if (record.type === 'PollsRecorded') this.poll(replay, record);
      first.record = await first.cursor.next();
      if (this.isLate()) return Date.parse(record.receivedAt);
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
    try {
      return comparedBy(this.around.schema, { attributes, at }, this.around.fleet.kept.get(subject) ?? {});
    } catch {
      return null; // told by a schema that has been put aside by a restore
    }
  }

  private poll(replay: Replay, { tenant, fault, data }: MaybeFaulty): void {
    const polls = data as Polls;
    if (tenant !== this.around.tenant || fault !== undefined || polls.channel !== this.around.channel) return;
    for (const { deviceNo, at } of unpackPolls(polls)) {
      const deviceId = this.around.fleet.ids.get(deviceNo);
      if (deviceId !== undefined) replay.polled(deviceId, at);
    }
  }
}

/** One partition, a page at a time. */
class Cursor {
  private page: readonly MaybeFaulty[] = [];
  private at = 0;

  constructor(
    private readonly log: PostgresLog,
    private readonly partition: number,
    private from: number,
    private readonly to: number,
  ) {}

  async next(): Promise<MaybeFaulty | undefined> {
    if (this.at >= this.page.length) {
      if (this.from >= this.to) return undefined;
      this.page = await this.log.readTolerantly(TOPIC, this.partition, this.from, Math.min(PAGE, this.to - this.from));
      this.at = 0;
      this.from += this.page.length;
      if (this.page.length === 0) return undefined;
    }
    return this.page[this.at++];
  }
}

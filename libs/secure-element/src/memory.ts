import { ElementError } from './errors.js';
import { type Changes, decodeRecords, encodeRecord } from './memory-record.js';

/** Which of the two areas. */
export type Area = 0 | 1;

/** Memory that keeps what was written when the power goes; a write that is cut off leaves any part of itself. */
export interface Storage {
  read(area: Area): Promise<Uint8Array>;
  /** Resolves when it is there to stay. */
  append(area: Area, bytes: Uint8Array): Promise<void>;
  /** Makes the area end there. */
  truncate(area: Area, length: number): Promise<void>;
}

export interface MemoryLimits {
  /** Bytes of names and values together. */
  quota: number;
  /** An area that has grown over this is written anew, with what still counts. */
  compactAt: number;
}

export const MEMORY_LIMITS: MemoryLimits = { quota: 262_144, compactAt: 1_048_576 };

/** Names of the area's first record: which of two areas is the newer, and that it is whole. */
const GENERATION = '#generation';

/**
 * What an element keeps: values by name. A commit is one record, written whole or not at all, and there to stay when it resolves;
 * so whatever was answered is remembered, and whatever was cut off has not been.
 */
export class ElementMemory {
  private readonly values = new Map<string, Uint8Array>();
  private used = 0;
  /** Of what is whole. */
  private length = 0;
  /** A write has failed, and may have left a part of itself. */
  private isTorn = false;
  private generation = 0;
  private area: Area = 0;
  private last: Promise<void> = Promise.resolve();

  private constructor(
    private readonly storage: Storage,
    private readonly limits: MemoryLimits,
  ) {}

  /** @throws ElementError `memory.corrupt` */
  static async open(storage: Storage, limits: MemoryLimits = MEMORY_LIMITS): Promise<ElementMemory> {
    const memory = new ElementMemory(storage, limits);
    await memory.recover();
    return memory;
  }

  get(name: string): Uint8Array | undefined {
    return this.values.get(name);
  }

  /** In the order in which they came. */
  names(prefix: string): string[] {
    return [...this.values.keys()].filter((name) => name.startsWith(prefix));
  }

  /** Bytes of names and values. */
  get usedBytes(): number {
    return this.used;
  }

  get freeBytes(): number {
    return this.limits.quota - this.used;
  }

  /**
   * All of it or nothing, one commit after the other.
   * @throws ElementError `memory.full`: nothing is changed then; whatever the storage throws: it counts not at all, or from the next
   *   power-up on, if that comes before another commit
   */
  commit(changes: Changes): Promise<void> {
    const next = this.last.then(() => this.write(changes));
    this.last = next.catch(() => undefined); // whoever committed hears of it
    return next;
  }

  private async write(changes: Changes): Promise<void> {
    if (changes.size === 0) return;
    const more = [...changes].reduce(
      (sum, [name, value]) => sum + sizeOf(name, value) - sizeOf(name, this.get(name)),
      0,
    );
    if (more > 0 && this.used + more > this.limits.quota)
      throw new ElementError('memory.full', { needs: more, free: this.freeBytes }, 'the element has no room for it');
    const record = encodeRecord(changes);
    if (this.isTorn) await this.mend();
    this.isTorn = true;
    await this.storage.append(this.area, record);
    this.isTorn = false;
    this.length += record.length;
    this.apply(changes);
    // The commit is there whatever becomes of this; what failed is tried again with the next.
    if (this.length > this.limits.compactAt) await this.compact().catch(() => undefined);
  }

  /** A record behind half of another would never be read again. */
  private async mend(): Promise<void> {
    await this.storage.truncate(this.area, this.length);
    this.isTorn = false;
  }

  /** What counts goes to the other area; that one counts as soon as it is whole, and the old one is let go of. */
  private async compact(): Promise<void> {
    const other: Area = this.area === 0 ? 1 : 0;
    const snapshot = encodeRecord(new Map([...this.values, [GENERATION, numberOf(this.generation + 1)]]));
    await this.storage.truncate(other, 0);
    await this.storage.append(other, snapshot);
    const old = this.area;
    Object.assign(this, { area: other, generation: this.generation + 1, length: snapshot.length });
    await this.storage.truncate(old, 0);
  }

  private async recover(): Promise<void> {
    const areas = await Promise.all(
      ([0, 1] as const).map(async (area) => ({ area, bytes: await this.storage.read(area) })),
    );
    const read = areas.map(({ area, bytes }) => ({ area, bytes, ...decodeRecords(bytes) }));
    const whole = read.filter(({ records }) => records[0]?.has(GENERATION) === true);
    const [newest] = whole.sort((a, b) => generationOf(b.records) - generationOf(a.records));
    if (newest === undefined) return this.begin(read.some(({ end }) => end > 0));
    this.area = newest.area;
    this.generation = generationOf(newest.records);
    for (const changes of newest.records) this.apply(changes);
    this.length = newest.end;
    if (newest.bytes.length > newest.end) await this.storage.truncate(newest.area, newest.end);
  }

  /** The first power-up; a first record that was cut off has never counted. */
  private async begin(isWritten: boolean): Promise<void> {
    if (isWritten) throw new ElementError('memory.corrupt', {}, 'no area begins with its generation');
    const first = encodeRecord(new Map([[GENERATION, numberOf(0)]]));
    await this.storage.truncate(0, 0);
    await this.storage.append(0, first);
    this.length = first.length;
  }

  private apply(changes: Changes): void {
    for (const [name, value] of changes) {
      if (name === GENERATION) continue;
      this.used += sizeOf(name, value) - sizeOf(name, this.get(name));
      if (value === null) this.values.delete(name);
      else this.values.set(name, value);
    }
  }
}

const sizeOf = (name: string, value: Uint8Array | null | undefined): number =>
  value == null ? 0 : name.length + value.length;

const numberOf = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

function generationOf([first]: readonly Changes[]): number {
  const value = first?.get(GENERATION);
  return value ? Number(Buffer.from(value).readBigUInt64BE()) : -1;
}

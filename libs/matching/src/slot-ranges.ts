import { type Bits, placeOf, setBit, SlotSet } from './slots.js';

const BUCKETS = 64;

/** Both ends belong to it. */
interface Bounds {
  least: number;
  most: number;
}

/** Slots with their bounds side by side, in the order of the slots. */
export class Edges {
  private slots = new Int32Array(4);
  private least = new Float64Array(4);
  private most = new Float64Array(4);
  private size = 0;

  add(slot: number, { least, most }: Bounds): void {
    if (this.size === this.slots.length) {
      this.slots = moved(this.slots, new Int32Array(this.size * 2));
      this.least = moved(this.least, new Float64Array(this.size * 2));
      this.most = moved(this.most, new Float64Array(this.size * 2));
    }
    const at = placeOf(this.slots, this.size, slot);
    for (const column of [this.slots, this.least, this.most]) column.copyWithin(at + 1, at, this.size);
    this.slots[at] = slot;
    this.least[at] = least;
    this.most[at] = most;
    this.size += 1;
  }

  remove(slot: number): void {
    const at = placeOf(this.slots, this.size, slot);
    for (const column of [this.slots, this.least, this.most]) column.copyWithin(at, at + 1, this.size);
    this.size -= 1;
  }

  /** Lets those pass that hold the number. */
  applyTo(bits: Bits, number: number): void {
    const { slots, least, most, size } = this;
    for (let at = 0; at < size; at++) if (least[at]! <= number && number <= most[at]!) setBit(bits, slots[at]!);
  }
}

function moved<Column extends Int32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

/** Slots that want some number of a bucket: those that want all of them, and those of which a bound is inside. */
interface Bucket {
  whole: SlotSet;
  edges: Edges;
}
const emptyBucket = (): Bucket => ({ whole: new SlotSet(true), edges: new Edges() });

/**
 * Slots that want a number between two bounds. The bounds that were there when it was last sorted cut the numbers into
 * buckets; who has a bound inside of the bucket that a number falls into is looked at by itself.
 */
export class SlotRanges {
  private readonly members = new Map<number, Bounds>();
  /** Where a bucket ends, itself excluded; the last has no end. */
  private ends: number[] = [];
  private buckets: Bucket[] = [emptyBucket()];
  private sortAt = 16;

  /** @param base who lets every number pass, this slot considered */
  add(slot: number, bounds: Bounds, base: Bits): void {
    this.members.set(slot, bounds);
    if (this.members.size >= this.sortAt) this.sort(base);
    else this.put(slot, bounds, base);
  }

  remove(slot: number): void {
    const bounds = this.members.get(slot)!;
    const [first, last] = this.bucketsOf(bounds);
    for (let at = first; at <= last; at++) {
      if (this.isWhole(at, bounds)) this.buckets[at]!.whole.remove(slot);
      else this.buckets[at]!.edges.remove(slot);
    }
    this.members.delete(slot);
  }

  /** Those that want this number and all others of its bucket; the rest is among the edges. */
  near(value: number): SlotSet {
    return this.buckets[this.bucketAt(value)]!.whole;
  }

  edges(value: number): Edges {
    return this.buckets[this.bucketAt(value)]!.edges;
  }

  whole(): SlotSet[] {
    return this.buckets.map(({ whole }) => whole);
  }

  /** Anew with each doubling, so that a bound added costs the same however many there are. */
  private sort(base: Bits): void {
    const members = [...this.members].sort(([a], [b]) => a - b);
    const bounds = members.flatMap(([, { least, most }]) => [least, most]).filter(Number.isFinite);
    const sorted = Float64Array.from(bounds).sort();
    const cuts = Array.from(
      { length: BUCKETS - 1 },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / BUCKETS)]!,
    );
    this.ends = [...new Set(cuts)].filter((cut) => cut !== undefined);
    this.buckets = Array.from({ length: this.ends.length + 1 }, emptyBucket);
    for (const [slot, each] of members) this.put(slot, each, base);
    this.sortAt = members.length * 2;
  }

  private put(slot: number, bounds: Bounds, base: Bits): void {
    const [first, last] = this.bucketsOf(bounds);
    for (let at = first; at <= last; at++) {
      if (this.isWhole(at, bounds)) this.buckets[at]!.whole.add(slot, base);
      else this.buckets[at]!.edges.add(slot, bounds);
    }
  }

  private bucketsOf({ least, most }: Bounds): [first: number, last: number] {
    return [this.bucketAt(least), this.bucketAt(most)];
  }

  private isWhole(at: number, { least, most }: Bounds): boolean {
    const end = this.ends[at];
    return least <= (this.ends[at - 1] ?? -Infinity) && (end === undefined ? most === Infinity : end <= most);
  }

  private bucketAt(value: number): number {
    let [low, high] = [0, this.ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

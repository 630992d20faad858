import { SlotSet } from './slots.js';

const BUCKETS = 64;

/**
 * Slots that want a number between two bounds. The bounds that were there when it was last sorted cut the numbers into
 * buckets, each of which knows the slots that want some of it; who wants exactly this number is for `holds`.
 */
export class SlotRanges {
  private least: Float64Array;
  private most: Float64Array;
  private members = new Set<number>();
  /** Where a bucket ends, itself excluded; the last has no end. */
  private ends: number[] = [];
  private buckets: SlotSet[] = [new SlotSet()];
  private sortAt = 16;

  constructor(private words: number) {
    this.least = new Float64Array(words * 32).fill(-Infinity);
    this.most = new Float64Array(words * 32).fill(Infinity);
  }

  grow(words: number): void {
    const grow = (bounds: Float64Array, missing: number) => {
      const more = new Float64Array(words * 32).fill(missing);
      more.set(bounds);
      return more;
    };
    this.words = words;
    this.least = grow(this.least, -Infinity);
    this.most = grow(this.most, Infinity);
  }

  add(slot: number, least: number, most: number): void {
    this.least[slot] = least;
    this.most[slot] = most;
    this.members.add(slot);
    if (this.members.size >= this.sortAt) this.sort();
    else for (const bucket of this.bucketsOf(slot)) bucket.add(slot, this.words);
  }

  remove(slot: number): void {
    for (const bucket of this.bucketsOf(slot)) bucket.remove(slot);
    this.least[slot] = -Infinity;
    this.most[slot] = Infinity;
    this.members.delete(slot);
  }

  /** Those that may want this number, and some others of its bucket. */
  near(value: number): SlotSet {
    return this.buckets[this.bucketAt(value)]!;
  }

  /** True also for a slot that wants nothing here. */
  holds(slot: number, value: number): boolean {
    return this.least[slot]! <= value && value <= this.most[slot]!;
  }

  /** Anew with each doubling, so that a bound added costs the same however many there are. */
  private sort(): void {
    const bounds = [...this.members].flatMap((slot) => [this.least[slot]!, this.most[slot]!]).filter(Number.isFinite);
    const sorted = Float64Array.from(bounds).sort();
    const cuts = Array.from(
      { length: BUCKETS - 1 },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / BUCKETS)]!,
    );
    this.ends = [...new Set(cuts)].filter((cut) => cut !== undefined);
    this.buckets = Array.from({ length: this.ends.length + 1 }, () => new SlotSet());
    for (const slot of [...this.members].sort((a, b) => a - b))
      for (const bucket of this.bucketsOf(slot)) bucket.add(slot, this.words);
    this.sortAt = this.members.size * 2;
  }

  private bucketsOf(slot: number): SlotSet[] {
    return this.buckets.slice(this.bucketAt(this.least[slot]!), this.bucketAt(this.most[slot]!) + 1);
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

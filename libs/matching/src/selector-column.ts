import type { AttributeEntry } from './attributes.js';
import { ITEMS, type Key, type Term, VERSION } from './selector-terms.js';
import { isVersion, packVersion } from './semver.js';
import { SlotRanges } from './slot-ranges.js';
import { type Bits, clearBit, grown, setBit, SlotSet } from './slots.js';

/** What a device has for a column; `untold` where the column cannot say, so that whoever passes the others is evaluated. */
export type Held = 'missing' | 'untold' | { keys: readonly Key[]; number?: number };

/** Which slots a device passes, as far as one attribute goes. */
export class SelectorColumn {
  /** Slots that have a term here. */
  size = 0;
  /** Slots that let whoever has something here pass, whatever it is; then those that let whoever has nothing. Without a term a slot does both. */
  private whenPresent: Bits;
  private whenMissing: Bits;
  private readonly accepted = new Map<Key, SlotSet>();
  private readonly refused = new Map<Key, SlotSet>();
  ranges: SlotRanges | undefined;
  private scratch: Bits;
  private readonly attribute: string;

  constructor(
    readonly name: string,
    private words: number,
  ) {
    this.attribute = name.slice(1);
    this.whenPresent = new Int32Array(words).fill(-1);
    this.whenMissing = new Int32Array(words).fill(-1);
    this.scratch = new Int32Array(words);
  }

  grow(words: number): void {
    this.words = words;
    this.whenPresent = grown(this.whenPresent, words, true);
    this.whenMissing = grown(this.whenMissing, words, true);
    this.scratch = new Int32Array(words);
    this.ranges?.grow(words);
  }

  add(slot: number, term: Term): void {
    this.size += 1;
    if (term.kind === 'missing' || term.kind === 'one-of' || term.kind === 'between') clearBit(this.whenPresent, slot);
    if (term.kind !== 'missing') clearBit(this.whenMissing, slot);
    if (term.kind === 'between') {
      this.ranges ??= new SlotRanges(this.words);
      this.ranges.add(slot, term.least, term.most);
    }
    if (!('values' in term)) return;
    const sets = term.kind === 'one-of' ? this.accepted : this.refused;
    for (const value of term.values) {
      const set = sets.get(value) ?? new SlotSet();
      set.add(slot, this.words);
      sets.set(value, set);
    }
  }

  remove(slot: number, term: Term): void {
    this.size -= 1;
    setBit(this.whenPresent, slot);
    setBit(this.whenMissing, slot);
    if (term.kind === 'between') this.ranges!.remove(slot);
    if (!('values' in term)) return;
    const sets = term.kind === 'one-of' ? this.accepted : this.refused;
    for (const value of term.values) {
      const set = sets.get(value)!;
      set.remove(slot);
      if (set.size === 0) sets.delete(value);
    }
  }

  /** What of the device's attributes counts here. */
  held(attributes: Readonly<Record<string, AttributeEntry>>): Held {
    const value = Object.hasOwn(attributes, this.attribute) ? attributes[this.attribute] : undefined;
    if (value === undefined) return 'missing';
    if (Array.isArray(value)) return { keys: this.name.startsWith(ITEMS) ? value.map(keyOf) : [] };
    if (!this.name.startsWith(VERSION)) {
      const key = keyOf(value as Key | bigint);
      return { keys: [key], ...(typeof key === 'number' ? { number: key } : {}) };
    }
    const packed = packVersion(String(value));
    if (packed !== undefined) return { keys: [], number: packed.rank };
    return isVersion(String(value)) ? 'untold' : { keys: [] };
  }

  /** @returns the slots that pass; nobody's to change, and good until the next call */
  passing(held: Exclude<Held, 'untold'>): Bits {
    if (held === 'missing') return this.whenMissing;
    const add = held.keys.map((key) => this.accepted.get(key)).filter((set) => set !== undefined);
    const take = held.keys.map((key) => this.refused.get(key)).filter((set) => set !== undefined);
    if (held.number !== undefined && this.ranges !== undefined) add.push(this.ranges.near(held.number));
    if (add.length === 0 && take.length === 0) return this.whenPresent;
    this.scratch.set(this.whenPresent);
    for (const set of add) set.addTo(this.scratch);
    for (const set of take) set.takeFrom(this.scratch);
    return this.scratch;
  }

  /** How many of its slots do not pass, about. */
  refuses(held: Exclude<Held, 'untold'>): number {
    if (held === 'missing') return this.size;
    const near = held.number === undefined ? 0 : (this.ranges?.near(held.number).size ?? 0);
    const accepting = held.keys.map((key) => this.accepted.get(key)?.size ?? 0);
    return this.size - near - accepting.reduce((sum, size) => sum + size, 0);
  }
}

/** As terms have them (`selector-terms.ts`). */
const keyOf = (value: Key | bigint): Key => (typeof value === 'bigint' ? Number(value) : value);

import type { AttributeEntry } from './attributes.js';
import { attributeOf, ITEMS, type Key, type Term, VERSION } from './selector-terms.js';
import { isVersion, packVersion } from './semver.js';
import { SlotRanges } from './slot-ranges.js';
import { type Bits, clearBit, grown, setBit, SlotSet } from './slots.js';

const NOTHING: readonly Key[] = [];

/** Which slots a device passes, as far as one attribute goes. */
export class SelectorColumn {
  /** Slots that have a term here. */
  size = 0;
  /** Slots that let whoever has something here pass, whatever it is; then those that let whoever has nothing. Without a term a slot does both. */
  private whenPresent: Bits;
  private whenMissing: Bits;
  private readonly accepted = new Map<Key, SlotSet>();
  private readonly refused = new Map<Key, SlotSet>();
  private ranges: SlotRanges | undefined;
  private scratch: Bits;
  private readonly attribute: string;
  private readonly kind: string;

  constructor(name: string, words: number) {
    this.attribute = attributeOf(name);
    this.kind = name.charAt(0);
    this.whenPresent = new Int32Array(words).fill(-1);
    this.whenMissing = new Int32Array(words).fill(-1);
    this.scratch = new Int32Array(words);
  }

  grow(words: number): void {
    this.whenPresent = grown(this.whenPresent, words, true);
    this.whenMissing = grown(this.whenMissing, words, true);
    this.scratch = new Int32Array(words);
    for (const set of this.dense()) set.dense = grown(set.dense!, words, true);
  }

  add(slot: number, term: Term): void {
    this.size += 1;
    if (term.kind === 'missing' || term.kind === 'one-of' || term.kind === 'between') this.letPass(slot, false);
    if (term.kind !== 'missing') clearBit(this.whenMissing, slot);
    if (term.kind === 'between') {
      this.ranges ??= new SlotRanges();
      this.ranges.add(slot, term, this.whenPresent);
    }
    if (!('values' in term)) return;
    const letsPass = term.kind === 'one-of';
    const sets = letsPass ? this.accepted : this.refused;
    for (const value of term.values) {
      const set = sets.get(value) ?? new SlotSet(letsPass);
      set.add(slot, this.whenPresent);
      sets.set(value, set);
    }
  }

  remove(slot: number, term: Term): void {
    this.size -= 1;
    setBit(this.whenMissing, slot);
    if (term.kind === 'between') this.ranges!.remove(slot);
    if ('values' in term) {
      const sets = term.kind === 'one-of' ? this.accepted : this.refused;
      for (const value of term.values) {
        const set = sets.get(value)!;
        set.remove(slot);
        if (set.size === 0) sets.delete(value);
      }
    }
    this.letPass(slot, true);
  }

  /**
   * Slots that a device passes. Nobody's to change, and good until the next look-up.
   * @returns undefined where this column cannot say: who passes the others is evaluated then
   */
  passing(attributes: Readonly<Record<string, AttributeEntry>>): Bits | undefined {
    const value = Object.hasOwn(attributes, this.attribute) ? attributes[this.attribute] : undefined;
    if (value === undefined) return this.whenMissing;
    if (Array.isArray(value)) return this.ofKeys(this.kind === ITEMS ? value : NOTHING);
    if (this.kind !== VERSION) {
      const key = keyOf(value as Key | bigint);
      return this.ofKeys([key], typeof key === 'number' ? key : undefined);
    }
    const packed = packVersion(String(value));
    if (packed !== undefined) return this.ofKeys(NOTHING, packed.rank);
    return isVersion(String(value)) ? undefined : this.ofKeys(NOTHING);
  }

  private ofKeys(keys: readonly (Key | bigint)[], number?: number): Bits {
    const sets: SlotSet[] = [];
    gather(this.accepted, keys, sets);
    const ranges = number === undefined ? undefined : this.ranges;
    if (ranges !== undefined) sets.push(ranges.near(number!));
    gather(this.refused, keys, sets);
    const bits = this.combined(sets);
    if (ranges === undefined && sets.every(({ dense }) => dense !== undefined)) return bits;
    // A copy costs less than taking back afterwards what a few thousand slots of lists and edges have done.
    if (bits !== this.scratch) this.scratch.set(bits);
    for (const set of sets) if (set.dense === undefined) set.applyTo(this.scratch);
    ranges?.edges(number!).applyTo(this.scratch, number!);
    return this.scratch;
  }

  /** Of those of the sets that are dense; one alone is what it comes to. */
  private combined(sets: readonly SlotSet[]): Bits {
    let first: SlotSet | undefined;
    let isCombined = false;
    for (const set of sets) {
      if (set.dense === undefined) continue;
      if (first === undefined) first = set;
      else if (isCombined) set.combineInto(this.scratch, this.whenPresent);
      else {
        this.scratch.set(first.dense!);
        set.combineInto(this.scratch, this.whenPresent);
        isCombined = true;
      }
    }
    return isCombined ? this.scratch : (first?.dense ?? this.whenPresent);
  }

  private letPass(slot: number, everyone: boolean): void {
    const change = everyone ? setBit : clearBit;
    change(this.whenPresent, slot);
    for (const set of this.dense()) change(set.dense!, slot);
  }

  private *dense(): Generator<SlotSet> {
    for (const sets of [this.accepted, this.refused])
      for (const set of sets.values()) if (set.dense !== undefined) yield set;
    for (const set of this.ranges?.whole() ?? []) if (set.dense !== undefined) yield set;
  }
}

function gather(from: ReadonlyMap<Key, SlotSet>, keys: readonly (Key | bigint)[], into: SlotSet[]): void {
  if (from.size === 0) return;
  for (const key of keys) {
    const set = from.get(keyOf(key));
    if (set !== undefined) into.push(set);
  }
}

/** As terms have them (`selector-terms.ts`). */
const keyOf = (value: Key | bigint): Key => (typeof value === 'bigint' ? Number(value) : value);

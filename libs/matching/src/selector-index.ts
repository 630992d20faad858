import type { Attributes } from './attributes.js';
import { evaluate } from './evaluate.js';
import type { CheckedRule } from './rule.js';
import { SelectorColumn } from './selector-column.js';
import { type Alternative, alternativesOf } from './selector-terms.js';
import { type Bits, clearBit, grown, setBit, wordsFor } from './slots.js';

interface Entry<K> {
  key: K;
  rule: CheckedRule;
  /** A slot an alternative. */
  slots: readonly number[];
  /** The last look-up that has found it, or found by evaluation that it is not true. */
  settledBy: number;
}

interface Slot<K> extends Alternative {
  entry: Entry<K>;
}

interface LookUp {
  device: Attributes;
  /** Some column cannot say who passes it. */
  isUntold: boolean;
}

const leftIn = (words: number) => ({ at: new Int32Array(words), word: new Int32Array(words) });
const slotOf = (at: number, word: number): number => at * 32 + 31 - Math.clz32(word & -word);

const FEWEST_SLOTS = 1_024;
const AT_ONCE = 8;

/**
 * Which of many selectors are true of a device, without walking them: exactly those of which `evaluate` says true, attributes
 * that are missing included. Selectors come and go while it is in use; what that costs does not grow with their number.
 *
 * Each alternative of a rule (`selector-terms.ts`) has a slot. Each attribute that is named somewhere is a column which knows
 * the slots that a value passes, as bits; the slots that pass all columns are found word by word, in whatever order: to sort
 * the columns by what they refuse costs more than it saves. What terms cannot say is evaluated. Memory: what is in the rules,
 * and two bits for each slot and column.
 */
export class SelectorIndex<K> {
  private readonly entries = new Map<K, Entry<K>>();
  private readonly columns = new Map<string, SelectorColumn>();
  private slots: (Slot<K> | undefined)[] = [];
  /** Of the slots: side by side, which their objects are not. */
  private keys: (K | undefined)[] = [];
  private readonly free: number[] = [];
  private words = wordsFor(FEWEST_SLOTS);
  private taken: Bits = new Int32Array(this.words);
  /** Slots beside which others may have found the same rule, or whose terms are not all of it. */
  private special: Bits = new Int32Array(this.words);
  /** Of a look-up: words with bits in all sets so far, and where they are. */
  private left = leftIn(this.words);
  /** What the last look-ups have found, of which the first are this one's: an array that grows with each would be most of the garbage. */
  private readonly found: K[] = [];
  private lookUps = 0;

  get size(): number {
    return this.entries.size;
  }

  /** Adds a selector, or puts it in the place of the one that has the key. */
  set(key: K, rule: CheckedRule): void {
    this.delete(key);
    const alternatives = alternativesOf(rule.root);
    const entry: Entry<K> = { key, rule, slots: alternatives.map(() => this.newSlot()), settledBy: 0 };
    alternatives.forEach((alternative, i) => this.occupy(entry.slots[i]!, { ...alternative, entry }));
    this.entries.set(key, entry);
  }

  /** @returns whether it was there */
  delete(key: K): boolean {
    for (const slot of this.entries.get(key)?.slots ?? []) this.leave(slot);
    return this.entries.delete(key);
  }

  /** Keys of the selectors that are true, in no order. @param device as `checkAttributes` answers them */
  matching(device: Attributes): K[] {
    const sets: Bits[] = [];
    let isUntold = false;
    for (const column of this.columns.values()) {
      const passing = column.passing(device);
      if (passing === undefined) isUntold = true;
      else sets.push(passing);
    }
    this.lookUps += 1;
    sets.push(this.taken);
    return this.found.slice(0, this.collect(sets, { device, isUntold }));
  }

  /** Finds what is in all of the sets. Most slots say all of their rule and are its only one: those need no second look. @returns how many */
  private collect(sets: readonly Bits[], { device, isUntold }: LookUp): number {
    const { keys, special, left, found } = this;
    const count = this.intersect(sets);
    let n = 0;
    for (let i = 0; i < count; i++) {
      const at = left.at[i]!;
      let word = left.word[i]!;
      let plain = isUntold ? 0 : word & ~special[at]!;
      for (word ^= plain; word !== 0; word &= word - 1) {
        const entry = this.look(slotOf(at, word), device, isUntold);
        if (entry !== undefined) found[n++] = entry.key;
      }
      for (; plain !== 0; plain &= plain - 1) found[n++] = keys[slotOf(at, plain)]!;
    }
    return n;
  }

  /**
   * Eight sets at a time: a pass over so many words costs more than what it does with each.
   * @returns how many words of `left` have bits of all sets. Those that are left after the first sets are fewer: only they are looked up in the others.
   */
  private intersect(sets: readonly Bits[]): number {
    const { at, word } = this.left;
    const last = sets.at(-1)!;
    let count = 0;
    const [a, b = last, c = last, d = last, e = last, f = last, g = last, h = last] = sets;
    for (let i = 0; i < this.words; i++) {
      const bits = a![i]! & b[i]! & c[i]! & d[i]! & e[i]! & f[i]! & g[i]! & h[i]!;
      if (bits === 0) continue;
      at[count] = i;
      word[count] = bits;
      count += 1;
    }
    for (let next = AT_ONCE; next < sets.length; next += AT_ONCE)
      count = this.narrow(count, sets.slice(next, next + AT_ONCE));
    return count;
  }

  private narrow(count: number, [a, b = a!, c = a!, d = a!, e = a!, f = a!, g = a!, h = a!]: readonly Bits[]): number {
    const { at, word } = this.left;
    let left = 0;
    for (let i = 0; i < count; i++) {
      const n = at[i]!;
      const bits = word[i]! & a![n]! & b[n]! & c[n]! & d[n]! & e[n]! & f[n]! & g[n]! & h[n]!;
      if (bits === 0) continue;
      at[left] = n;
      word[left] = bits;
      left += 1;
    }
    return left;
  }

  /** @returns the entry, where it is true and was not found before */
  private look(slot: number, device: Attributes, isUntold: boolean): Entry<K> | undefined {
    const { entry, isPartial } = this.slots[slot]!;
    if (entry.settledBy === this.lookUps) return undefined;
    entry.settledBy = this.lookUps; // an evaluation is of the whole rule, for its other slots as well
    if ((isPartial || isUntold) && evaluate(entry.rule, { device }).result !== true) return undefined;
    return entry;
  }

  private newSlot(): number {
    const slot = this.free.pop() ?? this.slots.length;
    if (slot === this.slots.length) this.slots.push(undefined);
    if (slot >= this.words * 32) this.grow();
    return slot;
  }

  private occupy(slot: number, content: Slot<K>): void {
    this.slots[slot] = content;
    this.keys[slot] = content.entry.key;
    setBit(this.taken, slot);
    if (content.isPartial || content.entry.slots.length > 1) setBit(this.special, slot);
    for (const [name, term] of content.terms) {
      const column = this.columns.get(name) ?? new SelectorColumn(name, this.words);
      column.add(slot, term);
      this.columns.set(name, column);
    }
  }

  private leave(slot: number): void {
    for (const [name, term] of this.slots[slot]!.terms) {
      const column = this.columns.get(name)!;
      column.remove(slot, term);
      if (column.size === 0) this.columns.delete(name);
    }
    clearBit(this.taken, slot);
    clearBit(this.special, slot);
    this.slots[slot] = undefined;
    this.keys[slot] = undefined;
    this.free.push(slot);
  }

  private grow(): void {
    this.words *= 2;
    this.taken = grown(this.taken, this.words, false);
    this.special = grown(this.special, this.words, false);
    this.left = leftIn(this.words);
    for (const column of this.columns.values()) column.grow(this.words);
  }
}

import type { Attributes } from './attributes.js';
import { evaluate } from './evaluate.js';
import type { CheckedRule } from './rule.js';
import { SelectorColumn } from './selector-column.js';
import { type Alternative, alternativesOf } from './selector-terms.js';
import type { SlotRanges } from './slot-ranges.js';
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

const FEWEST_SLOTS = 1_024;

/**
 * Which of many selectors are true of a device, without walking them: exactly those of which `evaluate` says true, attributes
 * that are missing included. Selectors come and go while it is in use; what that costs does not grow with their number.
 *
 * Each alternative of a rule (`selector-terms.ts`) has a slot. Each attribute that is named somewhere is a column which knows
 * the slots that a value passes, as bits; the slots that pass all columns are found word by word, the column that
 * refuses most first. Bounds are then compared, and what terms cannot say is evaluated. Memory: what is in the rules, and
 * two bits for each slot and column.
 */
export class SelectorIndex<K> {
  private readonly entries = new Map<K, Entry<K>>();
  private readonly columns = new Map<string, SelectorColumn>();
  private slots: (Slot<K> | undefined)[] = [];
  private readonly free: number[] = [];
  private words = wordsFor(FEWEST_SLOTS);
  private taken: Bits = new Int32Array(this.words);
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
    const passes: { bits: Bits; refuses: number }[] = [];
    const bounds: { ranges: SlotRanges; number: number }[] = [];
    let isUntold = false;
    for (const column of this.columns.values()) {
      const held = column.held(device);
      if (held === 'untold') {
        isUntold = true;
        continue;
      }
      passes.push({ bits: column.passing(held), refuses: column.refuses(held) });
      if (held !== 'missing' && held.number !== undefined && column.ranges !== undefined)
        bounds.push({ ranges: column.ranges, number: held.number });
    }
    passes.sort((a, b) => b.refuses - a.refuses);
    this.lookUps += 1;
    const found: K[] = [];
    this.eachIn([this.taken, ...passes.map(({ bits }) => bits)], (slot) => {
      const { entry, isPartial } = this.slots[slot]!;
      if (entry.settledBy === this.lookUps) return;
      if (!bounds.every(({ ranges, number }) => ranges.holds(slot, number))) return;
      entry.settledBy = this.lookUps; // an evaluation is of the whole rule, for its other slots as well
      if ((isPartial || isUntold) && evaluate(entry.rule, { device }).result !== true) return;
      found.push(entry.key);
    });
    return found;
  }

  /** Slots that are in all of the sets. */
  private eachIn([first, ...others]: Bits[], visit: (slot: number) => void): void {
    const sets = others.length;
    for (let at = 0; at < this.words; at++) {
      let word = first![at]!;
      for (let set = 0; word !== 0 && set < sets; set++) word &= others[set]![at]!;
      while (word !== 0) {
        visit(at * 32 + 31 - Math.clz32(word & -word));
        word &= word - 1;
      }
    }
  }

  private newSlot(): number {
    const slot = this.free.pop() ?? this.slots.length;
    if (slot === this.slots.length) this.slots.push(undefined);
    if (slot >= this.words * 32) this.grow();
    return slot;
  }

  private occupy(slot: number, content: Slot<K>): void {
    this.slots[slot] = content;
    setBit(this.taken, slot);
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
    this.slots[slot] = undefined;
    this.free.push(slot);
  }

  private grow(): void {
    this.words *= 2;
    this.taken = grown(this.taken, this.words, false);
    for (const column of this.columns.values()) column.grow(this.words);
  }
}

/** Sets of slots: small integers that an index gives to its entries. One bit each, in words of 32. */
export type Bits = Int32Array;

export const wordsFor = (slots: number): number => Math.ceil(slots / 32);

export const setBit = (bits: Bits, slot: number): void => void (bits[slot >>> 5]! |= 1 << (slot & 31));
export const clearBit = (bits: Bits, slot: number): void => void (bits[slot >>> 5]! &= ~(1 << (slot & 31)));

/** Room for more slots; those that are new are in it, or not. */
export function grown(bits: Bits, words: number, areIn: boolean): Bits {
  const more = new Int32Array(words);
  more.set(bits);
  if (areIn) more.fill(-1, bits.length);
  return more;
}

/** Of all slots, from which share on a bit each takes less than a number for each that is in it. */
const DENSE = 1 / 32;

/**
 * The slots that have something in common. Few are a sorted list, so that memory follows what is in them and adding or
 * removing one moves a few kilobytes at most; many are bits.
 */
export class SlotSet {
  size = 0;
  private list: Int32Array | undefined = new Int32Array(4);
  private bits: Bits | undefined;

  add(slot: number, words: number): void {
    if (this.list !== undefined && this.size + 1 > words * 32 * DENSE) this.becomeDense(words);
    if (this.list === undefined) setBit(this.roomy(words), slot);
    else this.insert(this.list, slot);
    this.size += 1;
  }

  remove(slot: number): void {
    const { list, bits } = this;
    if (list === undefined) clearBit(bits!, slot);
    else {
      const at = placeOf(list, this.size, slot);
      list.copyWithin(at, at + 1, this.size);
    }
    this.size -= 1;
  }

  addTo(target: Bits): void {
    const { list, bits, size } = this;
    if (list !== undefined) for (let at = 0; at < size; at++) setBit(target, list[at]!);
    else for (let at = 0; at < bits!.length; at++) target[at]! |= bits![at]!;
  }

  takeFrom(target: Bits): void {
    const { list, bits, size } = this;
    if (list !== undefined) for (let at = 0; at < size; at++) clearBit(target, list[at]!);
    else for (let at = 0; at < bits!.length; at++) target[at]! &= ~bits![at]!;
  }

  private insert(list: Int32Array, slot: number): void {
    let room = list;
    if (this.size === list.length) {
      room = new Int32Array(list.length * 2);
      room.set(list);
      this.list = room;
    }
    const at = placeOf(room, this.size, slot);
    room.copyWithin(at + 1, at, this.size);
    room[at] = slot;
  }

  private becomeDense(words: number): void {
    const bits = new Int32Array(words);
    this.addTo(bits);
    this.bits = bits;
    this.list = undefined;
  }

  private roomy(words: number): Bits {
    if (this.bits!.length < words) this.bits = grown(this.bits!, words, false);
    return this.bits!;
  }
}

/** Where it stands in a sorted list, or would. */
function placeOf(list: Int32Array, size: number, slot: number): number {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

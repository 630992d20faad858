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

/** Of all slots, from which share on it takes less time to combine bits than to go through a list, twice. */
const DENSE = 1 / 64;

/**
 * The slots that a value lets pass, or keeps from passing, beside those that let everyone pass. Few are a sorted list, so that
 * memory follows what is in them and adding or removing one moves a few kilobytes at most. Many are bits, with those that
 * let everyone pass among them: then nothing is left to be put together at a look-up.
 */
export class SlotSet {
  size = 0;
  private list: Int32Array | undefined = new Int32Array(4);
  /** Who passes, when there are many. */
  dense: Bits | undefined;

  constructor(private readonly letsPass: boolean) {}

  /** @param base who lets everyone pass, this slot considered */
  add(slot: number, base: Bits): void {
    if (this.list !== undefined && this.size + 1 > base.length * 32 * DENSE) this.becomeDense(base);
    if (this.list === undefined) this.put(this.dense!, slot);
    else this.insert(this.list, slot);
    this.size += 1;
  }

  /** Of many, the bit in `dense` is set by the column, as the slot stands now. */
  remove(slot: number): void {
    const { list } = this;
    if (list !== undefined) {
      const at = placeOf(list, this.size, slot);
      list.copyWithin(at, at + 1, this.size);
    }
    this.size -= 1;
  }

  /** Lets few slots pass in the bits, or none of them. */
  applyTo(bits: Bits): void {
    const { list, size } = this;
    if (this.letsPass) for (let at = 0; at < size; at++) setBit(bits, list![at]!);
    else for (let at = 0; at < size; at++) clearBit(bits, list![at]!);
  }

  /** Of many: adds who passes to a set that has those of the base, or takes from it who does not. */
  combineInto(target: Bits, base: Bits): void {
    const dense = this.dense!;
    if (this.letsPass) for (let at = 0; at < target.length; at++) target[at]! |= dense[at]!;
    else for (let at = 0; at < target.length; at++) target[at]! &= dense[at]! | ~base[at]!;
  }

  private put(bits: Bits, slot: number): void {
    if (this.letsPass) setBit(bits, slot);
    else clearBit(bits, slot);
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

  private becomeDense(base: Bits): void {
    this.dense = base.slice();
    this.applyTo(this.dense);
    this.list = undefined;
  }
}

/** Where it stands in a sorted list, or would. */
export function placeOf(list: Int32Array, size: number, slot: number): number {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

import type { Area, Storage } from './memory.js';

/** The power is gone; nothing more is done. */
export class PowerCut extends Error {}

/** Two areas that lose their power after so many bytes were written; an erased byte counts as one. */
export class FlakyStorage implements Storage {
  private readonly areas: [Uint8Array, Uint8Array];

  constructor(
    public budget = Number.POSITIVE_INFINITY,
    areas: readonly [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()],
  ) {
    this.areas = [Uint8Array.from(areas[0]), Uint8Array.from(areas[1])];
  }

  /** The same bytes under new power. */
  restarted(budget?: number): FlakyStorage {
    return new FlakyStorage(budget, this.areas);
  }

  read(area: Area): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.from(this.areas[area]));
  }

  append(area: Area, bytes: Uint8Array): Promise<void> {
    const written = bytes.subarray(0, Math.max(0, this.budget));
    this.areas[area] = Uint8Array.from([...this.areas[area], ...written]);
    return this.spend(bytes.length);
  }

  /** Byte after byte, from its end. */
  truncate(area: Area, length: number): Promise<void> {
    const many = Math.max(0, this.areas[area].length - length);
    const done = Math.min(many, Math.max(0, this.budget));
    this.areas[area] = this.areas[area].subarray(0, this.areas[area].length - done);
    return this.spend(many);
  }

  private spend(bytes: number): Promise<void> {
    this.budget -= bytes;
    return this.budget < 0 ? Promise.reject(new PowerCut('the power is gone')) : Promise.resolve();
  }
}

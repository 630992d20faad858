import { concat, uint } from './bytes.js';
import { type Place, refused } from './errors.js';

/** One data object (ISO/IEC 7816-4 §5.2.2, BER-TLV). */
export interface Tlv {
  /** Its bytes as a number: 0x4f, 0x9f70. */
  readonly tag: number;
  readonly value: Uint8Array;
  /** Of its first byte in what was decoded. */
  readonly offset: number;
}

export interface TlvTree extends Tlv {
  /** Of a constructed object only. */
  readonly children?: readonly TlvTree[];
}

export interface TlvOptions {
  /** How errors name what is decoded. */
  input?: string;
  /** Lets a constructed object run to an end-of-contents (`80 … 00 00`), as ETSI TS 102 226 does. */
  isIndefiniteAllowed?: boolean;
  /** Tags that say "constructed" although no objects are inside, as 22 and 23 of ETSI TS 102 226 do: left as they are. */
  opaqueTags?: readonly number[];
}

/** What a card or its peer may make us do at most. A tag is of 3 bytes at most, a length is written in 4. */
export const TLV_LIMITS = { bytes: 65_536, depth: 16, objects: 4_096 };
const STEP = 'decode TLV';
const MAX_TAG_BYTES = 3;

/** @throws GlobalPlatformError `tlv.tag`, `tlv.too-large` */
export function encodeTlv(tag: number, value: Uint8Array | readonly Uint8Array[] = []): Uint8Array {
  const content = value instanceof Uint8Array ? value : concat(...value);
  return concat(encodeTag(tag), encodeLength(content.length), content);
}

/** Of 1 to 4 bytes, the fewest. @throws GlobalPlatformError `tlv.too-large` */
export function encodeLength(length: number): Uint8Array {
  if (length > TLV_LIMITS.bytes)
    throw refused(
      'tlv.too-large',
      { step: 'encode TLV', input: 'value', length },
      `longer than ${TLV_LIMITS.bytes} bytes`,
    );
  if (length < 0x80) return Uint8Array.of(length);
  const bytes = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  return concat(Uint8Array.of(0x80 | bytes), uint(length, bytes));
}

function encodeTag(tag: number): Uint8Array {
  const bytes = uint(tag, tag > 0xffff ? 3 : tag > 0xff ? 2 : 1);
  const place = { step: 'encode TLV', input: 'tag' };
  if (!Number.isInteger(tag) || tag <= 0 || tag > 0xffffff)
    throw refused('tlv.tag', place, 'not a tag of 1 to 3 bytes');
  if (new Decoder(bytes, place).readTag(0, bytes.length).next !== bytes.length)
    throw refused('tlv.tag', place, `${tag.toString(16)} is more than one tag`);
  return bytes;
}

/**
 * The objects in a row; what is inside a constructed one is left as it is.
 * @throws GlobalPlatformError `tlv.truncated`, `tlv.tag`, `tlv.length`, `tlv.depth`, `tlv.too-large`
 */
export const decodeTlvs = (bytes: Uint8Array, options: TlvOptions = {}): readonly Tlv[] =>
  new Decoder(bytes, options).readAll(false);

/** The objects in a row, and those inside them as deep as they go. @throws GlobalPlatformError as decodeTlvs */
export const decodeTlvTree = (bytes: Uint8Array, options: TlvOptions = {}): readonly TlvTree[] =>
  new Decoder(bytes, options).readAll(true);

/** The one object that is there. @throws GlobalPlatformError also `tlv.missing`, if it has another tag, and `tlv.length`, if more follows */
export function decodeTlv(bytes: Uint8Array, tag: number, options: TlvOptions = {}): Tlv {
  const [first, second] = decodeTlvs(bytes, options);
  const place = { step: STEP, input: options.input ?? 'TLV', tag };
  if (first?.tag !== tag) throw refused('tlv.missing', { ...place, offset: 0 }, `no tag ${tag.toString(16)}`);
  if (second !== undefined) throw refused('tlv.length', { ...place, offset: second.offset }, 'more than one object');
  return first;
}

/** @throws GlobalPlatformError `tlv.missing` */
export function needTlv<T extends Tlv>(objects: readonly T[], tag: number, input: string): T {
  const found = objects.find((each) => each.tag === tag);
  if (found === undefined)
    throw refused('tlv.missing', { step: STEP, input, tag }, `no tag ${tag.toString(16).padStart(2, '0')}`);
  return found;
}

/** Whether what is inside are objects again: bit 6 of the first byte. */
const isConstructed = (tag: number): boolean => {
  const first = tag > 0xffff ? tag >> 16 : tag > 0xff ? tag >> 8 : tag;
  return (first & 0x20) !== 0;
};

class Decoder {
  private objects = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: TlvOptions,
  ) {}

  readAll(isDeep: boolean): TlvTree[] {
    const { length } = this.bytes;
    if (length > TLV_LIMITS.bytes)
      throw refused('tlv.too-large', { ...this.place(0), length }, `longer than ${TLV_LIMITS.bytes} bytes`);
    return this.readRow({ at: 0, end: length, depth: 1, isDeep }).row;
  }

  /** Objects up to `end` or, if `isOpen`, up to an end-of-contents before it. */
  private readRow(span: Span): { row: TlvTree[]; next: number } {
    const { end, isOpen = false } = span;
    if (span.depth > TLV_LIMITS.depth)
      throw refused('tlv.depth', this.place(span.at), `more than ${TLV_LIMITS.depth} levels`);
    const row: TlvTree[] = [];
    let { at } = span;
    while (at < end) {
      if (isOpen && this.bytes[at] === 0 && this.bytes[at + 1] === 0 && at + 2 <= end) return { row, next: at + 2 };
      const { tlv, next } = this.readObject({ ...span, at });
      row.push(tlv);
      at = next;
    }
    if (isOpen) throw refused('tlv.truncated', this.place(end), 'no end-of-contents');
    return { row, next: at };
  }

  private readObject({ at, end, depth, isDeep }: Span): { tlv: TlvTree; next: number } {
    this.objects += 1;
    if (this.objects > TLV_LIMITS.objects)
      throw refused('tlv.too-large', this.place(at), `more than ${TLV_LIMITS.objects} objects`);
    const { tag, next: afterTag } = this.readTag(at, end);
    const { length, next: start } = this.readLength(afterTag, end);
    const inside = { at: start, depth: depth + 1, isDeep };
    if (length === undefined) {
      if (this.options.isIndefiniteAllowed !== true || !isConstructed(tag))
        throw refused('tlv.length', this.place(afterTag), 'indefinite length');
      const { row, next } = this.readRow({ ...inside, end, isOpen: true });
      const value = this.bytes.subarray(start, next - 2);
      return { tlv: { tag, value, offset: at, ...(isDeep ? { children: row } : {}) }, next };
    }
    const next = start + length;
    if (next > end)
      throw refused(
        'tlv.truncated',
        { ...this.place(afterTag), tag, length },
        `${length} bytes announced, ${end - start} are there`,
      );
    const value = this.bytes.subarray(start, next);
    if (!isDeep || !isConstructed(tag) || this.options.opaqueTags?.includes(tag))
      return { tlv: { tag, value, offset: at }, next };
    const { row: children } = this.readRow({ ...inside, end: next });
    return { tlv: { tag, value, offset: at, children }, next };
  }

  /** Second bytes 00 to 1E are in use (BF0C, DF01), though reserved; 80 is none. */
  readTag(at: number, end: number): { tag: number; next: number } {
    let tag = this.byteAt(at, end);
    if (tag === 0x00 || tag === 0xff) throw refused('tlv.tag', this.place(at), 'no tag begins with 00 or FF');
    if ((tag & 0x1f) !== 0x1f) return { tag, next: at + 1 };
    for (let next = at + 1; next < at + MAX_TAG_BYTES; next += 1) {
      const byte = this.byteAt(next, end);
      if (next === at + 1 && byte === 0x80)
        throw refused('tlv.tag', this.place(next), 'a tag number with leading zeros');
      tag = tag * 256 + byte;
      if ((byte & 0x80) === 0) return { tag, next: next + 1 };
    }
    throw refused('tlv.tag', this.place(at), `longer than ${MAX_TAG_BYTES} bytes`);
  }

  /** `undefined` is indefinite. A length need not be written in the fewest bytes: cards write `81 05` too. */
  private readLength(at: number, end: number): { length: number | undefined; next: number } {
    const first = this.byteAt(at, end);
    if (first < 0x80) return { length: first, next: at + 1 };
    if (first === 0x80) return { length: undefined, next: at + 1 };
    const bytes = first & 0x7f;
    if (bytes > 3) throw refused('tlv.length', this.place(at), 'a length of more than 3 bytes');
    let length = 0;
    for (let i = 1; i <= bytes; i += 1) length = length * 256 + this.byteAt(at + i, end);
    return { length, next: at + 1 + bytes };
  }

  private byteAt(at: number, end: number): number {
    const byte = at < end ? this.bytes[at] : undefined;
    if (byte === undefined) throw refused('tlv.truncated', this.place(at), 'it ends here');
    return byte;
  }

  private place(offset: number): Place {
    return { step: STEP, input: this.options.input ?? 'TLV', offset };
  }
}

interface Span {
  at: number;
  end: number;
  depth: number;
  isDeep: boolean;
  isOpen?: boolean;
}

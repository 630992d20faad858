import { crc32 } from 'node:zlib';

/** New values by name; null: it is gone. */
export type Changes = ReadonlyMap<string, Uint8Array | null>;

/*
 * One record: length of the body (4) | CRC-32 of length and body (4) | body. The body is a list of entries: length of the name
 * (2) | name, UTF-8 | length of the value (4, 0xffffffff for none) | value. Numbers are big-endian.
 */
const HEAD = 8;
const GONE = 0xffff_ffff;

export function encodeRecord(changes: Changes): Uint8Array {
  const entries = [...changes].map(([name, value]) => ({ name: Buffer.from(name, 'utf8'), value }));
  const length = entries.reduce((sum, { name, value }) => sum + 6 + name.length + (value?.length ?? 0), 0);
  const record = Buffer.alloc(HEAD + length);
  record.writeUInt32BE(length, 0);
  let at = HEAD;
  for (const { name, value } of entries) {
    at = record.writeUInt16BE(name.length, at);
    at += name.copy(record, at);
    at = record.writeUInt32BE(value?.length ?? GONE, at);
    record.set(value ?? [], at);
    at += value?.length ?? 0;
  }
  record.writeUInt32BE(checkOf(record), 4);
  return record;
}

/** Of length and body; the check itself left out. */
const checkOf = (record: Buffer): number => crc32(record.subarray(HEAD), crc32(record.subarray(0, 4)));

/**
 * Reads the records of an area up to the first that is not whole: a write that was cut off leaves any part of itself.
 * @returns the changes of each, and where the last whole one ends
 */
export function decodeRecords(area: Uint8Array): { records: Changes[]; end: number } {
  const bytes = Buffer.from(area.buffer, area.byteOffset, area.byteLength);
  const records: Changes[] = [];
  let end = 0;
  while (end + HEAD <= bytes.length) {
    const next = end + HEAD + bytes.readUInt32BE(end);
    if (next > bytes.length) break;
    const record = bytes.subarray(end, next);
    if (checkOf(record) !== record.readUInt32BE(4)) break;
    records.push(entriesOf(record.subarray(HEAD)));
    end = next;
  }
  return { records, end };
}

/** Of a body whose check holds, so that its lengths do. */
function entriesOf(body: Buffer): Changes {
  const changes = new Map<string, Uint8Array | null>();
  for (let at = 0; at < body.length; ) {
    const nameEnd = at + 2 + body.readUInt16BE(at);
    const name = body.toString('utf8', at + 2, nameEnd);
    const length = body.readUInt32BE(nameEnd);
    at = nameEnd + 4 + (length === GONE ? 0 : length);
    changes.set(name, length === GONE ? null : Uint8Array.from(body.subarray(nameEnd + 4, at)));
  }
  return changes;
}

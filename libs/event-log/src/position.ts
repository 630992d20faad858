import { EventLogError, PARTITIONS, type Position, TOPICS, type Topic } from './event-log.js';

/** First byte of an encoded position. Topics are named by their index in `TOPICS`, which only grows at its end. */
const FORMAT = 1;

export const partitionKey = (topic: Topic, partition: number): string => `${topic}/${partition}`;

/** Next offset to read; what a position does not name is 0. */
export const nextOffset = (position: Position, topic: Topic, partition: number): number =>
  position[partitionKey(topic, partition)] ?? 0;

/** Opaque text of a position: equal positions have equal texts. For each topic with a record: its index, a mask of partitions, their offsets (LEB128). */
export function encodePosition(position: Position): string {
  const bytes = [FORMAT];
  TOPICS.forEach((topic, index) => {
    const offsets = PARTITION_NUMBERS.map((partition) => nextOffset(position, topic, partition));
    const mask = offsets.reduce((bits, offset, partition) => (offset > 0 ? bits | (1 << partition) : bits), 0);
    if (mask === 0) return;
    bytes.push(index, mask & 0xff, mask >> 8);
    for (const offset of offsets) if (offset > 0) bytes.push(...leb128(offset));
  });
  return Buffer.from(bytes).toString('base64url');
}

/** @throws EventLogError `position.malformed` */
export function decodePosition(text: string): Position {
  const bytes = Buffer.from(text, 'base64url');
  const reader = { bytes, at: 1 };
  const position: Record<string, number> = {};
  if (bytes[0] !== FORMAT) throw malformed();
  while (reader.at < bytes.length) {
    const topic = TOPICS[take(reader)];
    const mask = take(reader) | (take(reader) << 8);
    if (topic === undefined || mask >> PARTITIONS !== 0) throw malformed();
    for (const partition of PARTITION_NUMBERS)
      if ((mask >> partition) & 1) position[partitionKey(topic, partition)] = takeLeb128(reader);
  }
  if (encodePosition(position) !== text) throw malformed(); // one text for one position
  return position;
}

/** True when everything before `goal` is before `position` too. */
export const reaches = (position: Position, goal: Position): boolean =>
  Object.entries(goal).every(([key, offset]) => (position[key] ?? 0) >= offset);

const PARTITION_NUMBERS = Array.from({ length: PARTITIONS }, (_, partition) => partition);

function leb128(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low | 0x80, ...leb128(Math.floor(value / 128))];
}

function takeLeb128(reader: { bytes: Buffer; at: number }): number {
  let value = 0;
  for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
    const byte = take(reader);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  throw malformed();
}

function take(reader: { bytes: Buffer; at: number }): number {
  const byte = reader.bytes[reader.at];
  if (byte === undefined) throw malformed();
  reader.at += 1;
  return byte;
}

const malformed = () =>
  new EventLogError('position.malformed', {}, 'not a position of this log', [{ pointer: '', message: 'malformed' }]);

/** How a poll was answered. `not-modified` and `sent` stand for a snapshot that the handset then holds. */
export const POLL_ANSWERS = ['not-modified', 'sent', 'refused'] as const;
export type PollAnswer = (typeof POLL_ANSWERS)[number];

/** One conditional GET of a timestamp, as `PollsRecorded` keeps it. */
export interface Poll {
  /** Dense number of the device in its tenant; 0 = the handset showed no certificate. */
  deviceNo: number;
  /** Milliseconds after the batch's `from`, below 2^24 (4.6 hours). */
  deltaMs: number;
  /** Index into the batch's `rules`, below 256. */
  rule: number;
  answer: PollAnswer;
  /** First 6 bytes, hex, of sha-256 over the described data: the `digest` of CataloguePublished. */
  digest: string;
}

/** Bytes a poll; 15 make 20 characters of base64, without padding. */
export const POLL_BYTES = 15;

/** Packs polls as base64: per poll deviceNo (4), delta (3), rule (1), answer (1), digest (6), big endian. */
export function packPolls(polls: readonly Poll[]): string {
  const bytes = Buffer.alloc(polls.length * POLL_BYTES);
  polls.forEach((poll, index) => {
    const at = index * POLL_BYTES;
    bytes.writeUInt32BE(poll.deviceNo, at);
    bytes.writeUIntBE(poll.deltaMs, at + 4, 3);
    bytes.writeUInt8(poll.rule, at + 7);
    bytes.writeUInt8(POLL_ANSWERS.indexOf(poll.answer), at + 8);
    bytes.write(poll.digest, at + 9, 6, 'hex');
  });
  return bytes.toString('base64');
}

/** Reads what `packPolls` wrote. Total: an answer that this version does not know reads as `refused`, half a poll is left out. */
export function unpackPolls(columns: string): Poll[] {
  const bytes = Buffer.from(columns, 'base64');
  return Array.from({ length: Math.floor(bytes.length / POLL_BYTES) }, (_, index) => {
    const at = index * POLL_BYTES;
    return {
      deviceNo: bytes.readUInt32BE(at),
      deltaMs: bytes.readUIntBE(at + 4, 3),
      rule: bytes.readUInt8(at + 7),
      answer: POLL_ANSWERS[bytes.readUInt8(at + 8)] ?? 'refused',
      digest: bytes.toString('hex', at + 9, at + 15),
    };
  });
}

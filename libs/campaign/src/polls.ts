/**
 * How `PollsRecorded.columns` holds its polls: base64 of 15 bytes a poll (20 characters; the design allows 24), in the
 * order of their arrival, all numbers big-endian:
 *
 *     bytes 0-3   deviceNo
 *     bytes 4-6   milliseconds since `from`
 *     byte  7     index into `rules`, whose entries are `<rule>;v=<n>`
 *     byte  8     answer: 0 nothing new (304), 1 the timestamp was sent (200); where the server matches, 2 nothing fits, 3 something does
 *     bytes 9-14  `CataloguePublished.digest` of the snapshot that the handset then holds; where the server matches,
 *                 `SelectionChanged.digest` of what it selected from
 */
const POLL_BYTES = 15;
const POLL_ANSWERS = ['not-modified', 'sent', 'no-fit', 'fits'] as const;
export type PollAnswer = (typeof POLL_ANSWERS)[number];

/** One conditional GET of a timestamp with a certificate, or one availability request that tells what the device is. */
export interface Poll {
  /** Dense number of the device in its tenant. */
  deviceNo: number;
  /** Milliseconds since 1970. */
  at: number;
  /** Why it asked, `<rule>;v=<n>`; `unknown;v=0` when it did not say. */
  rule: string;
  answer: PollAnswer;
  /** 12 hex digits. */
  digest: string;
}

/** What 15 bytes can say, and a size of event that stays small. */
export const BATCH_LIMITS = { polls: 4_096, rules: 256, spanMs: 2 ** 24 - 1 } as const;

export interface PackedPolls {
  from: string;
  count: number;
  rules: readonly string[];
  columns: string;
}

/** @param polls within BATCH_LIMITS of `from`, milliseconds, which none of them precedes */
export function packPolls(from: number, polls: readonly Poll[]): PackedPolls {
  const numberOf = new Map<string, number>();
  const bytes = Buffer.alloc(POLL_BYTES * polls.length);
  polls.forEach((poll, i) => {
    const at = POLL_BYTES * i;
    if (!numberOf.has(poll.rule)) numberOf.set(poll.rule, numberOf.size);
    bytes.writeUInt32BE(poll.deviceNo, at);
    bytes.writeUIntBE(poll.at - from, at + 4, 3);
    bytes.writeUInt8(numberOf.get(poll.rule)!, at + 7);
    bytes.writeUInt8(POLL_ANSWERS.indexOf(poll.answer), at + 8);
    bytes.write(poll.digest, at + 9, 6, 'hex');
  });
  return {
    from: new Date(from).toISOString(),
    count: polls.length,
    rules: [...numberOf.keys()],
    columns: bytes.toString('base64'),
  };
}

/** The polls of a batch. Total: of columns that were cut short, the whole polls are read. */
export function unpackPolls({ from, rules, columns }: PackedPolls): Poll[] {
  const bytes = Buffer.from(columns, 'base64');
  const start = Date.parse(from);
  return Array.from({ length: Math.floor(bytes.length / POLL_BYTES) }, (_, i) => {
    const at = POLL_BYTES * i;
    return {
      deviceNo: bytes.readUInt32BE(at),
      at: start + bytes.readUIntBE(at + 4, 3),
      rule: rules[bytes.readUInt8(at + 7)] ?? 'unknown;v=0',
      answer: POLL_ANSWERS[bytes.readUInt8(at + 8)] ?? 'not-modified',
      digest: bytes.toString('hex', at + 9, at + 15),
    };
  });
}

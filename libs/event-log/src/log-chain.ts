import { createHash } from 'node:crypto';
import type { Audited } from './audit-source.js';
import { EventLogError, type Topic } from './event-log.js';
import type { Report } from './finding.js';
import { partitionKey } from './position.js';

/** Records a range. A range is what a changed record is sought in; its marks then name the record. */
const RANGE = 64;
const MARK_BYTES = 4;

/** The chain of one partition: `links[k]` covers every record before `(k + 1) * RANGE`, `head` all of them. */
interface PartitionChain {
  next: number;
  head: string;
  links: string[];
  /** The first bytes of each record's digest, base64. */
  marks: string;
}

/** What is kept apart from the database, so that a later change of what it covers shows. */
export interface ChainHead {
  format: 1;
  range: number;
  partitions: Record<string, PartitionChain>;
}

interface Growing {
  next: number;
  head: Buffer;
  links: string[];
  /** Of whole ranges, one each, and of the range at hand. */
  marks: Buffer[];
  open: Buffer[];
}

/**
 * A hash chain over what the log's table holds, computed by a reader: link = sha-256(link before ‖ sha-256(record)). Erasing a
 * subject destroys a key and no byte of the log, so the chain stays.
 */
export class LogChain {
  private readonly partitions = new Map<string, Growing>();

  /** Records of a partition in order; `raw` is the data's text, byte for byte. */
  add(topic: Topic, part: number, row: Audited): void {
    const key = partitionKey(topic, part);
    const chain = this.partitions.get(key) ?? { next: 0, head: Buffer.alloc(32), links: [], marks: [], open: [] };
    this.partitions.set(key, chain);
    const digest = digestOf(topic, row);
    chain.head = createHash('sha256').update(chain.head).update(digest).digest();
    chain.open.push(digest.subarray(0, MARK_BYTES));
    chain.next += 1;
    if (chain.next % RANGE > 0) return;
    chain.links.push(chain.head.toString('hex'));
    chain.marks.push(Buffer.concat(chain.open.splice(0)));
  }

  head(): ChainHead {
    const partitions = [...this.partitions].map(([key, { next, head, links, marks, open }]) => [
      key,
      { next, head: head.toString('hex'), links, marks: Buffer.concat([...marks, ...open]).toString('base64') },
    ]);
    return { format: 1, range: RANGE, partitions: Object.fromEntries(partitions) as ChainHead['partitions'] };
  }

  /** Everything that the kept head covers must be there, unchanged. Names the record, or its range when its mark collides. */
  compare(kept: ChainHead, report: Report): void {
    const now = this.head();
    for (const [key, before] of Object.entries(kept.partitions)) {
      const after = now.partitions[key] ?? { next: 0, head: '', links: [], marks: '' };
      const find = (code: string, place: string, message: string) =>
        report({ invariant: 'I11', code, where: `${key}/${place}`, message });
      const changed = firstChanged(before, after);
      const lost = Math.max(before.next - after.next, 0);
      if (changed !== undefined)
        find(
          'chain.changed',
          `${changed}`,
          'this record, or one before it that is gone, was changed since the head was kept',
        );
      else if (lost === 0 && !isPrefix(before, after))
        find('chain.broken', `0..${before.next - 1}`, 'the chain differs from the kept head');
      if (lost > 0) find('chain.lost', `${after.next}`, `${lost} records of the kept head are not there any more`);
    }
  }
}

/** @throws EventLogError `chain.malformed` */
export function readChainHead(text: string): ChainHead {
  const refused = new EventLogError('chain.malformed', {}, 'not a chain head of this program');
  let head: ChainHead;
  try {
    head = JSON.parse(text) as ChainHead;
  } catch {
    throw refused;
  }
  const isPart = (each: PartitionChain) =>
    Number.isSafeInteger(each?.next) &&
    typeof each.head === 'string' &&
    typeof each.marks === 'string' &&
    Array.isArray(each.links);
  if (
    head?.format !== 1 ||
    head.range !== RANGE ||
    !Object.values(head.partitions ?? { x: 0 }).every((each) => isPart(each))
  )
    throw refused;
  return head;
}

function firstChanged(before: PartitionChain, after: PartitionChain): number | undefined {
  const [a, b] = [Buffer.from(before.marks, 'base64'), Buffer.from(after.marks, 'base64')];
  const count = Math.min(before.next, after.next);
  for (let i = 0; i < count; i += 1) {
    const at = i * MARK_BYTES;
    if (!a.subarray(at, at + MARK_BYTES).equals(b.subarray(at, at + MARK_BYTES))) return i;
  }
  return undefined;
}

/** By the links that both have; the records after the last of them are told apart by their marks alone. */
function isPrefix(before: PartitionChain, after: PartitionChain): boolean {
  if (before.next === after.next) return before.head === after.head;
  return before.links.every((link, i) => after.links[i] === link);
}

/** Every column, in a form that tells null from text and cannot be split otherwise; of what cannot be read, its place. */
function digestOf(topic: Topic, row: Audited): Buffer {
  if ('fault' in row)
    return createHash('sha256')
      .update(JSON.stringify([topic, row.off, row.fault.code]))
      .digest();
  const { part, off, tenant, stream, ver, type, event_id, occurred_at, received_at, actor, command_id } = row;
  const { correlation_id, causation_id, traceparent, seq_source, seq_epoch, seq_n, raw } = row;
  const times = [occurred_at.toISOString(), received_at.toISOString()];
  const who = [actor, command_id, correlation_id, causation_id, traceparent];
  const text = JSON.stringify([
    topic,
    part,
    off,
    tenant,
    stream,
    ver,
    type,
    event_id,
    ...times,
    ...who,
    seq_source,
    seq_epoch,
    seq_n,
    raw,
  ]);
  return createHash('sha256').update(text).digest();
}

import { type DeviceFact } from '#device-protocol/index.js';
import { HandsetError } from './errors.js';
import { type DeviceFactByHandset } from './events.js';
import { type Appender, hasFields, parseJson, type Store } from './store.js';

const FILE = 'facts.log';

/** What says only how far something got; an outcome says how it ended, and is kept longer. */
const PROGRESS: ReadonlySet<string> = new Set([
  'TriggerFired',
  'AvailabilityRequested',
  'ContentMatched',
  'TransferStarted',
  'TransferResumed',
] satisfies DeviceFactByHandset['type'][]);

export interface QueueLimits {
  maxFacts: number;
  maxBytes: number;
}

interface Header {
  epoch: number;
  next: number;
}

/**
 * Facts that the server has not accepted yet: an append-only file of JSON lines below a header with the device's
 * sequence. A fact is durable when `add` returns. A line torn by a power cut is cut off: its `add` never returned.
 * When the queue is full, progress goes before outcomes and old before new; numbers are never used twice.
 */
export class FactQueue {
  private readonly facts: DeviceFact[] = [];
  private bytes = 0;
  private file: Appender | undefined;

  private constructor(
    private readonly store: Store,
    private header: Header,
    private readonly limits: QueueLimits,
  ) {}

  /** Begins a sequence: at 1 when enrolled; at a number that was certainly never used when the queue was lost. */
  static create(store: Store, epoch: number, next = 1): void {
    store.write(FILE, line({ epoch, next }));
  }

  /** @throws HandsetError `queue.lost` when the sequence is not known any more */
  static open(store: Store, limits: QueueLimits = { maxFacts: 10_000, maxBytes: 4 * 1024 * 1024 }): FactQueue {
    const bytes = store.read(FILE);
    const lines = bytes === undefined ? [] : wholeLines(bytes);
    const header = parseJson(lines[0]);
    if (!isHeader(header)) throw new HandsetError('queue.lost');
    const queue = new FactQueue(store, header, limits);
    let kept = lines[0]!.length + 1;
    for (const text of lines.slice(1)) {
      const fact = parseJson(text);
      if (!isFact(fact)) break;
      queue.facts.push(fact);
      kept += text.length + 1;
      queue.header = { ...queue.header, next: Math.max(queue.header.next, fact.seq.n + 1) };
    }
    queue.bytes = kept;
    queue.file = store.appendTo(FILE, kept);
    return queue;
  }

  get size(): number {
    return this.facts.length;
  }

  /** True when something waits that should not wait for the next full exchange. */
  get hasOutcome(): boolean {
    return this.facts.some((fact) => !PROGRESS.has(fact.type));
  }

  get sequence(): Readonly<Header> {
    return this.header;
  }

  add(fact: DeviceFactByHandset, occurredAt: string): void {
    const { epoch, next } = this.header;
    const queued: DeviceFact = { seq: { epoch, n: next }, type: fact.type, occurredAt, data: fact.data };
    const bytes = line(queued);
    this.file?.write(bytes);
    this.file?.sync();
    this.header = { epoch, next: next + 1 };
    this.facts.push(queued);
    this.bytes += bytes.length;
    if (this.facts.length > this.limits.maxFacts || this.bytes > this.limits.maxBytes) this.makeRoom();
  }

  /** The oldest facts, at most `maxFacts` and `maxBytes` of JSON. */
  batch(maxFacts: number, maxBytes: number): DeviceFact[] {
    const batch: DeviceFact[] = [];
    let bytes = 0;
    for (const fact of this.facts.slice(0, maxFacts)) {
      bytes += line(fact).length;
      if (bytes > maxBytes && batch.length > 0) break;
      batch.push(fact);
    }
    return batch;
  }

  /** Forgets what the server has, up to and including `accepted`. */
  acknowledge(accepted: { epoch: number; n: number }): void {
    const rest = this.facts.filter(({ seq }) => isAfter(seq, accepted));
    if (rest.length !== this.facts.length) this.rewrite(rest);
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
  }

  /** Down to nine tenths, so that a full queue is not rewritten for every fact. */
  private makeRoom(): void {
    const sizes = this.facts.map((fact) => line(fact).length);
    const order = [...this.facts.keys()].sort((a, b) => rank(this.facts[a]!) - rank(this.facts[b]!) || a - b);
    const dropped = new Set<number>();
    let count = this.facts.length;
    let bytes = sizes.reduce((sum, size) => sum + size, 0);
    for (const index of order) {
      if (count <= this.limits.maxFacts * 0.9 && bytes <= this.limits.maxBytes * 0.9) break;
      dropped.add(index);
      count -= 1;
      bytes -= sizes[index]!;
    }
    this.rewrite(this.facts.filter((_, index) => !dropped.has(index)));
  }

  private rewrite(facts: readonly DeviceFact[]): void {
    const lines = [line(this.header), ...facts.map(line)];
    const bytes = Buffer.concat(lines);
    this.file?.close();
    this.store.write(FILE, bytes);
    this.facts.splice(0, this.facts.length, ...facts);
    this.bytes = bytes.length;
    this.file = this.store.appendTo(FILE, bytes.length);
  }
}

const rank = (fact: DeviceFact): number => (PROGRESS.has(fact.type) ? 0 : 1);
const line = (value: Header | DeviceFact): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
const isAfter = (a: { epoch: number; n: number }, b: { epoch: number; n: number }): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.n > b.n);

/** Lines that end in a newline; the rest was being written when the power went. */
function wholeLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0, end = bytes.indexOf(10); end !== -1; from = end + 1, end = bytes.indexOf(10, from))
    lines.push(bytes.subarray(from, end));
  return lines;
}

const isHeader = (value: unknown): value is Header => hasFields(value, 'next', 'epoch') && Number.isInteger(value.next);
const isFact = (value: unknown): value is DeviceFact => hasFields(value, 'seq');

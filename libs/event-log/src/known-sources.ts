import type { Sequence } from './event-log.js';

/** The last number of a source, and the record that brought it. */
export interface Last extends Pick<Sequence, 'epoch' | 'n'> {
  off: number;
  /** RFC 3339. */
  receivedAt: string;
}

/** About 20 MB. */
const AT_MOST = 100_000;

/**
 * The sources of one partition as a build wrote them that is filled from the partition's beginning, so that it need not ask
 * for what it knows. It learns of a batch once that is committed, and of a commit whose answer was lost never: what it
 * knows counts only where it ends at the build's checkpoint. Otherwise the database is asked, from then on.
 */
export class KnownSources {
  private readonly last = new Map<string, Last>();
  /** Offset after the last record that is known of. */
  private next = 0;
  /** Written by a transaction that is not committed yet. */
  private written: ReadonlyMap<string, Last> = new Map();

  constructor(readonly partition: string) {}

  /** A batch begins at this offset. @returns whether all sources before it are known */
  begin(offset: number): boolean {
    this.written = new Map();
    return this.next === offset && this.last.size <= AT_MOST;
  }

  has(source: string): boolean {
    return this.last.has(source);
  }

  lastOf(sources: Iterable<string>): Map<string, Last> {
    const found = new Map<string, Last>();
    for (const source of sources) {
      const last = this.last.get(source);
      if (last !== undefined) found.set(source, last);
    }
    return found;
  }

  write(sources: ReadonlyMap<string, Last>): void {
    this.written = sources;
  }

  /** The batch is committed: the build's checkpoint went from one offset to another. */
  commit(from: number, next: number): void {
    if (this.next !== from || from === next) return;
    for (const [source, last] of this.written) this.last.set(source, last);
    this.next = next;
  }
}

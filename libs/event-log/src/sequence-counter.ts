import type { StoredRecord } from './envelope.js';
import type { Report } from './finding.js';

/** Over all sources of `muster.device`. Neither is a fault: readers drop duplicates, and a producer's refused group leaves a hole. */
export interface SequenceCounts {
  sources: number;
  duplicates: number;
  holes: number;
}

/** Counts what is not the next of its source, in each partition for itself. */
export class SequenceCounter {
  readonly counts: SequenceCounts = { sources: 0, duplicates: 0, holes: 0 };
  private readonly last = new Map<string, { epoch: number; n: number }>();

  constructor(private readonly report: Report) {}

  add({ part, tenant, stream, seq_source, seq_epoch, seq_n }: StoredRecord, where: string): void {
    if (seq_source === null || seq_epoch === null || seq_n === null) return;
    const own = `device:${stream.slice(tenant.length + 1)}`;
    if (seq_source.startsWith('device:') && seq_source !== own)
      this.report({ invariant: 'I7', code: 'log.source', where, message: `${seq_source} speaks for ${stream}` });
    const key = `${part}/${tenant}/${seq_source}`;
    const last = this.last.get(key);
    const isNext = last === undefined || seq_epoch > last.epoch || (seq_epoch === last.epoch && seq_n > last.n);
    if (last === undefined) this.counts.sources += 1;
    if (!isNext) this.counts.duplicates += 1;
    else if (last !== undefined && seq_epoch === last.epoch) this.counts.holes += seq_n - last.n - 1;
    if (isNext) this.last.set(key, { epoch: seq_epoch, n: seq_n });
  }
}

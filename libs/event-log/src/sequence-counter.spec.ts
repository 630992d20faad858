import { describe, expect, it } from 'vitest';
import type { StoredRecord } from './envelope.js';
import type { Finding } from './finding.js';
import { SequenceCounter } from './sequence-counter.js';

const count = (...facts: [part: number, source: string, epoch: number, n: number, stream?: string][]) => {
  const found: Finding[] = [];
  const counter = new SequenceCounter((finding) => void found.push(finding));
  for (const [part, seq_source, seq_epoch, seq_n, stream = 'main/d'] of facts)
    counter.add({ part, tenant: 'main', stream, seq_source, seq_epoch, seq_n } as StoredRecord, 'muster.device/0/0');
  return { ...counter.counts, found: found.map(({ code }) => code) };
};

describe('sequences of devices', () => {
  it('that follow each other have neither duplicate nor hole', () =>
    expect(count([0, 'device:d', 1, 1], [0, 'device:d', 1, 2], [0, 'device:d', 2, 1])).toEqual({
      sources: 1,
      duplicates: 0,
      holes: 0,
      found: [],
    }));

  it('count what came again, also of an epoch that is over, and what is missing', () =>
    expect(
      count([0, 'device:d', 1, 5], [0, 'device:d', 1, 5], [0, 'device:d', 1, 9], [0, 'device:d', 0, 9]),
    ).toMatchObject({
      duplicates: 2,
      holes: 3,
    }));

  it('are those of each partition', () =>
    expect(count([0, 'campaign:p/0', 1, 1], [1, 'campaign:p/0', 1, 1])).toMatchObject({ sources: 2, duplicates: 0 }));

  it('of one device in the stream of another are log.source', () =>
    expect(count([0, 'device:e', 1, 1])).toMatchObject({ found: ['log.source'] }));
});

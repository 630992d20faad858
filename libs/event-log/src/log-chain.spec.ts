import { describe, expect, it } from 'vitest';
import type { Finding } from './finding.js';
import { LogChain, readChainHead } from './log-chain.js';

const row = (off: number, actor = 'person:a') => ({
  part: 0,
  off,
  tenant: 'main',
  stream: 'main/x',
  ver: off + 1,
  type: 'muster.campaign.campaign-started.v1',
  event_id: '01890a5d-ac96-774b-bcce-b302099a8057',
  occurred_at: new Date(0),
  received_at: new Date(0),
  actor,
  command_id: 'c',
  correlation_id: 'c',
  causation_id: null,
  traceparent: null,
  seq_source: null,
  seq_epoch: null,
  seq_n: null,
  data: {},
  raw: '{}',
});

const chainOf = (rows: readonly ReturnType<typeof row>[]): LogChain => {
  const chain = new LogChain();
  for (const each of rows) chain.add('muster.campaign', 0, each);
  return chain;
};
const rows = (count: number) => Array.from({ length: count }, (_, off) => row(off));
const compared = (before: readonly ReturnType<typeof row>[], after: readonly ReturnType<typeof row>[]) => {
  const found: Finding[] = [];
  const kept = readChainHead(JSON.stringify(chainOf(before).head()));
  chainOf(after).compare(kept, (finding) => void found.push(finding));
  return found.map(({ code, where }) => [code, where]);
};

describe('the hash chain of the log', () => {
  it('holds for what was appended since', () => expect(compared(rows(130), rows(200))).toEqual([]));

  it.each([0, 1, 63, 64, 129])('names record %i when it was changed', (off) => {
    const changed = rows(200).map((each) => (each.off === off ? row(off, 'person:b') : each));
    expect(compared(rows(130), changed)).toEqual([['chain.changed', `muster.campaign/0/${off}`]]);
  });

  it('does not heed what came after the head', () => {
    const changed = rows(200).map((each) => (each.off === 130 ? row(130, 'person:b') : each));
    expect(compared(rows(130), changed)).toEqual([]);
  });

  it('names the place of a record that is gone from the middle, and that the log is shorter', () =>
    expect(
      compared(
        rows(10),
        rows(10).filter(({ off }) => off !== 4),
      ),
    ).toEqual([
      ['chain.changed', 'muster.campaign/0/4'],
      ['chain.lost', 'muster.campaign/0/9'],
    ]));

  it('names the end that was cut off, and a partition that is gone', () => {
    expect(compared(rows(10), rows(7))).toEqual([['chain.lost', 'muster.campaign/0/7']]);
    expect(compared(rows(1), [])).toEqual([['chain.lost', 'muster.campaign/0/0']]);
  });

  it('tells a changed record by the chain where its mark is the same', () => {
    const chain = chainOf(rows(70));
    const kept = chain.head();
    kept.partitions['muster.campaign/0']!.links[0] = '00'.repeat(32);
    kept.partitions['muster.campaign/0']!.head = '00'.repeat(32);
    const found: Finding[] = [];
    chain.compare(kept, (finding) => void found.push(finding));
    expect(found).toMatchObject([{ code: 'chain.broken', where: 'muster.campaign/0/0..69' }]);
  });

  it('refuses a head that is none with chain.malformed', () =>
    expect(() => readChainHead('{"format":2}')).toThrow(expect.objectContaining({ code: 'chain.malformed' })));
});

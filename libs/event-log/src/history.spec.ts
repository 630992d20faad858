import { describe, expect, it } from 'vitest';
import type { EventRecord } from './event-log.js';
import { faultsOf, type Write } from './history.js';

const record = (name: string, offset: number, stream = 'acme/s', version = offset + 1) =>
  ({ topic: 'muster.campaign', partition: 0, offset, stream, version, data: { text: name } }) as unknown as EventRecord;
const ok = (invokedAt: number, endedAt: number, ...names: string[]): Write => ({
  names,
  invokedAt,
  endedAt,
  outcome: 'ok',
});
const faults = (writes: Write[], log: EventRecord[]) =>
  faultsOf(writes, log, ({ data }) => (data as { text: string }).text);

describe('a history', () => {
  it('is without fault when writes that overlap stand in either order', () => {
    const log = [record('a', 0), record('b', 1), record('c', 2)];
    expect(faults([ok(1, 4, 'b'), ok(2, 3, 'a'), ok(5, 6, 'c')], log)).toEqual([]);
  });

  it('names an acknowledged event that is lost or doubled', () => {
    expect(faults([ok(1, 2, 'a')], [])).toEqual(['ok: a found 0']);
    expect(faults([ok(1, 2, 'a')], [record('a', 0), record('a', 1)])).toEqual(['ok: a found 2']);
  });

  it('names a refused event that is there, and half of an unknown one', () => {
    expect(faults([{ ...ok(1, 2, 'a'), outcome: 'refused' }], [record('a', 0)])).toEqual(['refused: a found 1']);
    const unknown: Write = { ...ok(1, 2, 'a', 'b'), outcome: 'unknown' };
    expect(faults([unknown], [record('a', 0)])).toEqual(['unknown: a b found 1 0']);
    expect(faults([unknown], [])).toEqual([]);
  });

  it('names an event that stands before one which had ended when it began', () => {
    expect(faults([ok(1, 2, 'a'), ok(3, 4, 'b')], [record('b', 0), record('a', 1)])).toEqual(['b stands before a']);
  });

  it('names a version left out, and what nobody wrote', () => {
    expect(faults([ok(1, 2, 'a')], [record('a', 0, 'acme/s', 2)])).toEqual(['acme/s goes on with version 2, not 1']);
    expect(faults([], [record('x', 0)])).toEqual(['x was never written']);
  });
});

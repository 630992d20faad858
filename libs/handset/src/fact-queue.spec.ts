import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeviceFactByHandset } from './events.js';
import { FactQueue } from './fact-queue.js';
import { fileStore } from './file-store.js';
import { type Store } from './store.js';

const AT = '2026-11-24T10:00:00.000Z';
const progress: DeviceFactByHandset = { type: 'TransferStarted', data: { contentId: 'c', campaignId: 'k' } };
const outcome: DeviceFactByHandset = {
  type: 'OutcomeConfirmed',
  data: { contentId: 'c', campaignId: 'k', outcome: 'confirmed' },
};
const numbers = (queue: FactQueue) => queue.batch(1_000, 1e9).map(({ seq }) => seq.n);

describe('fact queue', () => {
  let root: string;
  let store: Store;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'queue-'));
    store = fileStore(root);
    FactQueue.create(store, 7);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('keeps facts and their numbers over a restart', () => {
    const queue = FactQueue.open(store);
    queue.add(progress, AT);
    queue.add(outcome, AT);
    const again = FactQueue.open(fileStore(root));
    expect(again.batch(10, 1e6)).toEqual([
      { seq: { epoch: 7, n: 1 }, type: 'TransferStarted', occurredAt: AT, data: progress.data },
      { seq: { epoch: 7, n: 2 }, type: 'OutcomeConfirmed', occurredAt: AT, data: outcome.data },
    ]);
  });

  it('never uses a number twice, not even when everything was accepted before the restart', () => {
    const queue = FactQueue.open(store);
    queue.add(outcome, AT);
    queue.acknowledge({ epoch: 7, n: 1 });
    const again = FactQueue.open(fileStore(root));
    again.add(outcome, AT);
    expect(numbers(again)).toEqual([2]);
  });

  it('forgets only what was accepted', () => {
    const queue = FactQueue.open(store);
    for (let i = 0; i < 5; i++) queue.add(outcome, AT);
    queue.acknowledge({ epoch: 7, n: 3 });
    queue.acknowledge({ epoch: 6, n: 99 });
    expect(numbers(queue)).toEqual([4, 5]);
  });

  it('cuts off a line that was torn at any byte, and goes on behind the whole ones', () => {
    const queue = FactQueue.open(store);
    queue.add(outcome, AT);
    queue.add(outcome, AT);
    queue.close();
    const file = store.path('facts.log');
    const whole = readFileSync(file);
    const secondFactAt = whole.lastIndexOf(10, whole.length - 2) + 1;
    fc.assert(
      fc.property(fc.integer({ min: secondFactAt, max: whole.length - 1 }), (end) => {
        writeFileSync(file, whole);
        truncateSync(file, end);
        const torn = FactQueue.open(fileStore(root));
        torn.add(outcome, AT);
        torn.close();
        const after = FactQueue.open(fileStore(root));
        expect(numbers(after)).toEqual([1, 2]);
        after.close();
      }),
    );
  });

  it('cuts off what a failing disk left behind the whole lines', () => {
    FactQueue.open(store).add(outcome, AT);
    appendFileSync(store.path('facts.log'), '\0\0\0\0\n\0\0');
    expect(numbers(FactQueue.open(fileStore(root)))).toEqual([1]);
  });

  it('drops progress before outcomes when it is full, and the oldest first', () => {
    const queue = FactQueue.open(store, { maxFacts: 10, maxBytes: 1e6 });
    for (let i = 0; i < 6; i++) queue.add(i % 2 === 0 ? progress : outcome, AT);
    for (let i = 0; i < 5; i++) queue.add(outcome, AT);
    const kept = queue.batch(100, 1e6);
    expect(kept.map(({ seq }) => seq.n)).toEqual([2, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (let i = 0; i < 20; i++) queue.add(outcome, AT);
    expect(queue.batch(100, 1e6).every(({ type }) => type === 'OutcomeConfirmed')).toBe(true);
    expect(numbers(queue).at(-1)).toBe(31);
  });

  it('is bounded in bytes', () => {
    const queue = FactQueue.open(store, { maxFacts: 1_000, maxBytes: 2_000 });
    for (let i = 0; i < 100; i++) queue.add(outcome, AT);
    expect(readFileSync(store.path('facts.log')).length).toBeLessThanOrEqual(2_000);
    expect(queue.size).toBeGreaterThan(5);
  });

  it('refuses a lost sequence with queue.lost', () => {
    writeFileSync(store.path('facts.log'), '\0\0\0\0');
    expect(() => FactQueue.open(fileStore(root))).toThrow(expect.objectContaining({ code: 'queue.lost' }) as Error);
  });
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Tx } from './database.js';
import { KnownRows } from './known-rows.js';

const row = { tenant: 'acme', deviceId: 'd1' };
const answer = { snapshot: '1:1:', changed: [] };

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('knows again, some seconds after a look that never got an answer, and ignores what that one says late', async () => {
  const hanging: ((rows: object[]) => void)[] = [];
  let isSilent = true;
  const query = () =>
    isSilent ? new Promise<object[]>((resolve) => hanging.push(resolve)) : Promise.resolve([answer]);
  const known = new KnownRows<string>({ database: { query: query as Tx['query'] }, tables: ['ops.thing'], atMost: 10 });
  const ask = async (milliseconds: number) => {
    await vi.advanceTimersByTimeAsync(milliseconds);
    known.get(row);
    await vi.advanceTimersByTimeAsync(0);
    await known.read(row, async () => 'read');
    return known.get(row);
  };
  expect(await ask(0)).toBeUndefined();
  isSilent = false;
  expect(await ask(4_900)).toBeUndefined();
  expect(hanging).toHaveLength(1); // one at a time
  expect(await ask(200)).toBe('read');
  hanging[0]!([{ snapshot: '1:1:', changed: ['acme/d1'] }]);
  await vi.advanceTimersByTimeAsync(0);
  expect(known.get(row)).toBe('read');
});

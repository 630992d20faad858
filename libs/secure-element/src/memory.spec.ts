import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ElementMemory } from './memory.js';
import { type Changes, decodeRecords, encodeRecord } from './memory-record.js';
import { FlakyStorage } from './testing.js';

const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);
const changes = (of: Record<string, Uint8Array | null>): Changes => new Map(Object.entries(of));
const shown = (memory: ElementMemory): Record<string, string> =>
  Object.fromEntries(memory.names('').map((name) => [name, Buffer.from(memory.get(name)!).toString('hex')]));

/** Small, so that areas are written anew again and again. */
const LIMITS = { quota: 400, compactAt: 120 };

const name = fc.constantFrom('counter', 'keys/30', 'app/a', 'app/b', 'é');
const value = fc.option(fc.uint8Array({ maxLength: 24 }), { freq: 4 });
const step = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 3 }).map((all): Changes => new Map(all));
const steps = fc.array(step, { minLength: 1, maxLength: 12 });

/** Commits until the power is gone. @returns how many commits were answered, and what lies in the memory then */
async function run(all: readonly Changes[], storage: FlakyStorage): Promise<number> {
  let answered = 0;
  try {
    const memory = await ElementMemory.open(storage, LIMITS);
    for (const each of all) {
      await memory.commit(each);
      answered += 1;
    }
  } catch {
    // the power is gone
  }
  return answered;
}

/** What lies there after so many commits. */
async function expected(all: readonly Changes[], count: number): Promise<Record<string, string>> {
  const memory = await ElementMemory.open(new FlakyStorage(), LIMITS);
  for (const each of all.slice(0, count)) await memory.commit(each);
  return shown(memory);
}

describe('the memory of an element', () => {
  it('keeps what was committed', async () => {
    const storage = new FlakyStorage();
    const memory = await ElementMemory.open(storage);
    await memory.commit(changes({ a: bytes(1, 2), b: bytes() }));
    await memory.commit(changes({ a: bytes(3), c: bytes(4), b: null }));
    expect(shown(memory)).toEqual({ a: '03', c: '04' });
    expect(memory.usedBytes).toBe(4);
    expect(shown(await ElementMemory.open(storage.restarted()))).toEqual({ a: '03', c: '04' });
  });

  it('refuses what is too much for it, and changes nothing', async () => {
    const storage = new FlakyStorage();
    const memory = await ElementMemory.open(storage, { ...LIMITS, quota: 10 });
    await memory.commit(changes({ a: new Uint8Array(9) }));
    await expect(memory.commit(changes({ b: bytes(1), a: null, c: new Uint8Array(9) }))).rejects.toMatchObject({
      code: 'memory.full',
    });
    await expect(memory.commit(changes({ b: bytes() }))).rejects.toMatchObject({ code: 'memory.full' });
    expect([memory.names(''), memory.freeBytes]).toEqual([['a'], 0]);
    await memory.commit(changes({ a: bytes() })); // less is always let in
    expect(memory.freeBytes).toBe(9);
  });

  it('says so when its areas hold something else', async () => {
    const foreign = encodeRecord(changes({ a: bytes(1) }));
    const storage = new FlakyStorage(undefined, [foreign, bytes()]);
    await expect(ElementMemory.open(storage)).rejects.toMatchObject({ code: 'memory.corrupt' });
  });

  it('is, after a power cut at any byte, as before the commit or as after it, and goes on', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const whole = new FlakyStorage(1_000_000);
        await run(all, whole);
        const written = 1_000_000 - whole.budget;
        for (let cut = 0; cut <= written; cut += 1) {
          const storage = new FlakyStorage(cut);
          const answered = await run(all, storage);
          const memory = await ElementMemory.open(storage.restarted(), LIMITS);
          const states = [await expected(all, answered), await expected(all, Math.min(all.length, answered + 1))];
          expect(states).toContainEqual(shown(memory));
          const before = shown(memory);
          await memory.commit(changes({ more: bytes(7) }));
          expect(shown(memory)).toEqual({ ...before, more: '07' });
        }
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  it('never brings a counter back, however often the power goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(90), { minLength: 1, maxLength: 12 }), async (cuts) => {
        let storage = new FlakyStorage(0);
        let highest = 0; // that was answered
        for (const cut of cuts) {
          storage = storage.restarted(cut);
          try {
            const memory = await ElementMemory.open(storage, LIMITS);
            for (;;) {
              const next = (memory.get('counter')?.[0] ?? 0) + 1;
              expect(next).toBeGreaterThan(highest);
              await memory.commit(changes({ counter: bytes(next % 256) }));
              highest = next;
            }
          } catch (error) {
            if (!(error instanceof Error) || error.message !== 'the power is gone') throw error;
          }
        }
        const memory = await ElementMemory.open(storage.restarted(), LIMITS);
        expect(memory.get('counter')?.[0] ?? 0).toBeGreaterThanOrEqual(highest);
      }),
    );
  });

  it('loses nothing that was answered behind a write that failed halfway', async () => {
    const storage = new FlakyStorage();
    const memory = await ElementMemory.open(storage);
    await memory.commit(changes({ a: bytes(1) }));
    storage.budget = 5; // room for a part of the next record, and for nothing that would take it away again
    await expect(memory.commit(changes({ a: bytes(2) }))).rejects.toThrow('the power is gone');
    await expect(memory.commit(changes({ a: bytes(3) }))).rejects.toThrow('the power is gone');
    storage.budget = Number.POSITIVE_INFINITY;
    await memory.commit(changes({ a: bytes(4) }));
    expect(shown(memory)).toEqual({ a: '04' });
    expect(shown(await ElementMemory.open(storage.restarted()))).toEqual({ a: '04' });
  });

  it('writes one commit after the other', async () => {
    const memory = await ElementMemory.open(new FlakyStorage(), LIMITS);
    const all = Array.from({ length: 50 }, (_, n) => memory.commit(changes({ n: bytes(n) })));
    await Promise.all(all);
    expect(memory.get('n')).toEqual(bytes(49));
  });
});

describe('a record', () => {
  it('is read as it was written, one behind the other', () =>
    fc.assert(
      fc.property(steps, (all) => {
        const area = Buffer.concat(all.map(encodeRecord));
        expect(decodeRecords(area)).toEqual({ records: all, end: area.length });
      }),
    ));

  it('is left out when a bit of it has turned', () =>
    fc.assert(
      fc.property(step, fc.nat(), (one, at) => {
        const record = Buffer.from(encodeRecord(one));
        record[at % record.length]! ^= 1 << (at % 8);
        expect(decodeRecords(record)).toEqual({ records: [], end: 0 });
      }),
    ));

  it('is nothing in foreign bytes, and no reason to fail', () =>
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (foreign) => void decodeRecords(foreign))));
});

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { ASIDE_MS, sweepContents, UNTOUCHED_MS } from './content-sweep.js';
import { FileStore } from './file-store.js';

const SHA256 = 'ab'.repeat(32);
const later = (ms: number): number => Date.now() + ms + 60_000;

let folder: string;
let store: FileStore;
let log: Set<string>;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'muster-sweep-'));
  store = new FileStore({ dataDir: folder });
  mkdirSync(store.uploads);
  log = new Set();
});
afterEach(() => rmSync(folder, { recursive: true }));

const referenced = async (): Promise<Set<string>> => new Set(log);
const sweep = (now: number) => sweepContents({ root: store.root, now, referenced });
const kept = (): string[] => readdirSync(path.join(store.root, 'ab')).sort();

async function adopted(): Promise<string> {
  const upload = path.join(store.uploads, newId());
  writeFileSync(upload, 'bytes');
  await store.adopt(upload, SHA256);
  return upload;
}

describe('a sweep of contents', () => {
  it('leaves what an event names, however old it is', async () => {
    await adopted();
    log.add(SHA256);
    expect(await sweep(later(1_000 * UNTOUCHED_MS))).toEqual({ putAside: [], putBack: [], removed: [] });
    expect(kept()).toEqual([SHA256]);
  });

  it('leaves bytes whose event may still come', async () => {
    await adopted();
    await sweep(Date.now() + UNTOUCHED_MS - 60_000);
    expect(kept()).toEqual([SHA256]);
  });

  it('puts bytes without an event aside after a week, and removes them a day later', async () => {
    await adopted();
    expect((await sweep(later(UNTOUCHED_MS))).putAside).toEqual([SHA256]);
    expect(kept()).toEqual([`${SHA256}.unreferenced`]);
    expect(await sweep(Date.now() + ASIDE_MS - 60_000)).toMatchObject({ removed: [] });
    expect(await sweep(later(ASIDE_MS))).toMatchObject({ removed: [`${SHA256}.unreferenced`] });
    expect(kept()).toEqual([]);
  });

  it('puts back what an event names after all', async () => {
    await adopted();
    await sweep(later(UNTOUCHED_MS));
    log.add(SHA256);
    expect(await sweep(later(ASIDE_MS))).toMatchObject({ putBack: [SHA256], removed: [] });
    expect(kept()).toEqual([SHA256]);
    expect(readFileSync(path.join(store.root, 'ab', SHA256), 'utf8')).toBe('bytes');
  });

  it('removes the temporary name of an adoption that was cut off, and no name that it does not know', async () => {
    const names = [`${SHA256}.${newId()}`, 'README', `${SHA256}.backup`];
    mkdirSync(path.join(store.root, 'ab'), { recursive: true });
    for (const name of names) writeFileSync(path.join(store.root, 'ab', name), '');
    expect((await sweep(later(UNTOUCHED_MS))).removed).toEqual([names[0]]);
    expect(kept()).toEqual(names.slice(1).sort());
  });

  it('has nothing to do before the first content', async () =>
    expect(await sweep(later(0))).toEqual({ putAside: [], putBack: [], removed: [] }));
});

/** All orders in which the steps of two can follow each other: which of the two goes next, step by step. */
function interleavings(first: number, second: number): boolean[][] {
  if (first === 0 && second === 0) return [[]];
  const goingOn = (isFirst: boolean, rest: boolean[][]) => rest.map((order) => [isFirst, ...order]);
  return [
    ...(first > 0 ? goingOn(true, interleavings(first - 1, second)) : []),
    ...(second > 0 ? goingOn(false, interleavings(first, second - 1)) : []),
  ];
}

/** Lets two actors go on by turns as an order says; each waits before every step. */
class Turns {
  private readonly gates = new Map<boolean, () => void>();
  private waiting: (() => void) | undefined;

  step(isPublisher: boolean): Promise<void> {
    return new Promise((go) => {
      this.gates.set(isPublisher, go);
      this.waiting?.();
    });
  }

  /** Each turn lasts until the actor waits again or has ended. */
  async play(order: readonly boolean[], actors: Record<'publisher' | 'sweeper', Promise<unknown>>): Promise<void> {
    for (const isPublisher of order) {
      const ended = isPublisher ? actors.publisher : actors.sweeper;
      const rested = new Promise<void>((resolve) => (this.waiting = resolve));
      const go = this.gates.get(isPublisher);
      if (go === undefined) continue; // has ended with fewer steps
      this.gates.delete(isPublisher);
      go();
      await Promise.race([rested, ended]);
    }
  }
}

/** One publication of bytes whose stale file is swept at the same time. @returns whether the bytes are there in the end */
async function race(order: readonly boolean[], { looksAgain }: { looksAgain: boolean }): Promise<boolean> {
  const turns = new Turns();
  const upload = await adopted(); // an earlier attempt was cut off a week ago; its upload is still there
  const publisher = (async () => {
    await turns.step(true);
    await store.adopt(upload, SHA256);
    await turns.step(true);
    log.add(SHA256);
    await turns.step(true);
    if (looksAgain) await store.keep(upload, SHA256);
  })();
  const sweeper = (async () => {
    await turns.step(false);
    const steps = async () => {
      const seen = await referenced();
      await turns.step(false);
      return seen;
    };
    // The publisher's touch of a moment ago counts as old, too: as if the machine's clock had been turned.
    await sweepContents({ root: store.root, now: later(UNTOUCHED_MS), referenced: steps });
  })();
  await turns.play(order, { publisher, sweeper });
  await turns.play(
    Array.from({ length: 20 }, (_, n) => n % 2 === 0),
    { publisher, sweeper },
  );
  await Promise.all([publisher, sweeper]);
  return kept().includes(SHA256);
}

describe('a sweep beside a publication of the same bytes', () => {
  const outcomes = async (how: { looksAgain: boolean }) => {
    const lost: string[] = [];
    for (const order of interleavings(3, 3)) {
      if (!(await race(order, how))) lost.push(order.map((isPublisher) => (isPublisher ? 'p' : 's')).join(''));
      rmSync(folder, { recursive: true });
      mkdirSync(store.uploads, { recursive: true });
      log.clear();
    }
    return lost;
  };

  it('loses nothing, whichever step comes first', async () => expect(await outcomes({ looksAgain: true })).toEqual([]));

  it('would lose bytes if the publisher did not look for them behind its commit', async () =>
    expect(await outcomes({ looksAgain: false })).not.toEqual([]));
});

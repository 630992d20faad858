import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Store } from '#handset/index.js';
import { fleetStore, SharedBytes } from './fleet-store.js';

describe('the store of a handset of a fleet', () => {
  let folder: string;
  let shared: SharedBytes;
  let store: Store;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fleet-store-'));
    shared = new SharedBytes();
    store = fleetStore(folder, 'one', shared);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const text = (blob: string, of = store) => Buffer.from(of.read(blob) ?? []).toString();

  it('keeps what is alike once for all, and what is a handset’s own apart', () => {
    const other = fleetStore(folder, 'two', shared);
    for (const each of [store, other]) {
      each.write('tuf/root.json', Buffer.from('root'));
      each.write('state.json', Buffer.from('state'));
    }
    expect(other.read('tuf/root.json')).toBe(store.read('tuf/root.json'));
    expect(other.read('state.json')).not.toBe(store.read('state.json'));
    store.remove('tuf/root.json');
    expect(text('tuf/root.json')).toBe('');
    expect(text('tuf/root.json', other)).toBe('root');
  });

  it('appends, cuts to what is to be kept, and names what there is', () => {
    store.write('facts.log', Buffer.from('header\n'));
    store.appendTo('facts.log').write(Buffer.from('fact\n'));
    expect(text('facts.log')).toBe('header\nfact\n');
    store.appendTo('facts.log', 7).write(Buffer.from('other\n'));
    expect(text('facts.log')).toBe('header\nother\n');
    store.write('documents/b', Buffer.from('b'));
    store.write('documents/a', Buffer.from('a'));
    expect(store.names('documents')).toEqual(['a', 'b']);
    expect(store.sizeOf('documents/a')).toBe(1);
  });

  it('goes on with a part where it was, beside those of others, and holds the finished content once', () => {
    const other = fleetStore(folder, 'two', shared);
    const begin = store.appendTo('partial/c1');
    begin.write(Buffer.from('0123'));
    begin.close();
    other.appendTo('partial/c1').write(Buffer.from('xx'));
    expect(store.sizeOf('partial/c1')).toBe(4);
    const goOn = store.appendTo('partial/c1', 4);
    goOn.write(Buffer.from('4567'));
    goOn.close();
    store.rename('partial/c1', 'contents/c1');
    expect(store.sizeOf('partial/c1')).toBeUndefined();
    expect(store.sizeOf('contents/c1')).toBe(8);
    expect(readFileSync(store.path('contents/c1'), 'utf8')).toBe('01234567');
    expect(other.sizeOf('contents/c1')).toBeUndefined();
    expect(other.sizeOf('partial/c1')).toBe(2);
  });
});

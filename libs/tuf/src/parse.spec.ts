import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TufError } from './errors.js';
import { metadataName } from './metadata.js';
import { parseMetadata } from './parse.js';
import { RepositorySimulator } from './testing.js';

const repository = new RepositorySimulator();
repository.addTarget('content/a', Buffer.from('a'), { custom: { name: 'A' } });
repository.delegate('targets', [{ name: 'catalogue', paths: ['content/*'], terminating: true }]);
repository.publishTargets();

type Node = Record<string, unknown>;
const GOOD = {
  root: '1.root.json',
  timestamp: 'timestamp.json',
  snapshot: '2.snapshot.json',
  targets: '2.targets.json',
} as const;
type Role = keyof typeof GOOD;

/** The good file with the value at a JSON pointer replaced, or taken away. */
function changed(role: Role, pointer: string, value: unknown): Uint8Array {
  const file = JSON.parse(Buffer.from(repository.file(GOOD[role])).toString('utf8')) as Node;
  const names = pointer
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/'));
  const last = names.pop()!;
  const parent = names.reduce((node, name) => node[name] as Node, file);
  if (value === undefined) delete parent[last];
  else Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true });
  return Buffer.from(JSON.stringify(file));
}

const refused = (bytes: Uint8Array, role: Role): TufError => {
  try {
    parseMetadata(bytes, role);
  } catch (error) {
    if (error instanceof TufError) return error;
    throw error;
  }
  throw new Error('was taken');
};

describe('metadata', () => {
  it.each(Object.entries(GOOD))('reads a good %s', (role, name) => {
    expect(parseMetadata(repository.file(name), role as Role).signed.version).toBeGreaterThan(0);
  });

  it.each<[Role, string, unknown]>([
    ['root', '/signed/version', 0],
    ['root', '/signed/version', 1.5],
    ['root', '/signed/version', '1'],
    ['root', '/signed/version', 2 ** 53],
    ['root', '/signed/expires', '2026-02-30T00:00:00Z'],
    ['root', '/signed/expires', '2026-02-03T00:00:00+01:00'],
    ['root', '/signed/expires', 'tomorrow'],
    ['root', '/signed/spec_version', '2.0.0'],
    ['root', '/signed/consistent_snapshot', 'yes'],
    ['root', '/signed/roles/timestamp/threshold', 0],
    ['root', '/signed/roles/timestamp/keyids', {}],
    ['root', '/signed/roles/timestamp/keyids/0', 7],
    ['root', '/signed/roles/mirrors', {}],
    ['root', '/signed/keys', []],
    ['timestamp', '/signed/meta/snapshot.json', null],
    ['timestamp', '/signed/meta/snapshot.json/version', -1],
    ['snapshot', '/signed/meta/targets.json/length', -1],
    ['snapshot', '/signed/meta/targets.json/hashes', {}],
    ['snapshot', '/signed/meta/targets.json/hashes/sha256', 1],
    ['targets', '/signed/targets/content~1a/length', '1'],
    ['targets', '/signed/targets/content~1a/custom', 'text'],
    ['targets', '/signed/delegations/roles/0/name', 'snapshot'],
    ['targets', '/signed/delegations/roles/0/name', ''],
    ['targets', '/signed/delegations/roles/0/name', 'x'.repeat(251)],
    ['targets', '/signed/delegations/roles/0/terminating', 0],
    ['targets', '/signed/delegations/roles/0/paths', 'content/*'],
    ['targets', '/signed/_type', 'root'],
    ['timestamp', '/signatures', {}],
    ['timestamp', '/signatures/0/sig', null],
  ])('refuses a %s whose %s is %j with tuf.malformed, naming the field', (role, pointer, value) => {
    const error = refused(changed(role, pointer, value), role);
    expect({ code: error.code, pointer: error.details.pointer }).toEqual({ code: 'tuf.malformed', pointer });
  });

  it.each<[Role, string, string]>([
    ['root', '/signed/version', '/signed'],
    ['root', '/signed/roles/snapshot', '/signed/roles'],
    ['timestamp', '/signed/meta/snapshot.json', '/signed/meta'],
    ['targets', '/signed/targets/content~1a/hashes', '/signed/targets/content~1a'],
    ['targets', '/signed/delegations/roles/0/paths', '/signed/delegations/roles/0'],
    ['targets', '/signed/delegations/roles', '/signed/delegations'],
    ['targets', '/signatures', ''],
  ])('refuses a %s without %s with tuf.malformed', (role, pointer, where) => {
    const error = refused(changed(role, pointer, undefined), role);
    expect({ code: error.code, pointer: error.details.pointer }).toEqual({ code: 'tuf.malformed', pointer: where });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a byte order mark', `\ufeff${Buffer.from(repository.file('timestamp.json')).toString('utf8')}`],
    ['deep nesting', `{"signed":${'['.repeat(50_000)}${']'.repeat(50_000)},"signatures":[]}`],
  ])('refuses %s with tuf.malformed', (_name, text) => {
    expect(refused(Buffer.from(text), 'timestamp').code).toBe('tuf.malformed');
  });

  it('refuses broken UTF-8 with tuf.malformed, wherever it stands', () => {
    const bytes = Buffer.from(repository.file(GOOD.targets));
    bytes[bytes.indexOf('"name":"A"') + 8] = 0xff;
    expect(refused(bytes, 'targets').code).toBe('tuf.malformed');
  });

  it('refuses delegations that name a role twice with tuf.malformed', () => {
    const role = { name: 'a', keyids: [], threshold: 1, terminating: false, paths: ['*'] };
    const error = refused(changed('targets', '/signed/delegations/roles', [role, role]), 'targets');
    expect({ code: error.code, pointer: error.details.pointer }).toEqual({
      code: 'tuf.malformed',
      pointer: '/signed/delegations',
    });
  });

  it('holds a target called __proto__ or constructor as one among others', () => {
    const odd = new RepositorySimulator();
    odd.addTarget('__proto__', Buffer.from('p'));
    odd.addTarget('constructor', Buffer.from('c'));
    odd.publish('targets');
    const { targets } = parseMetadata(odd.file('2.targets.json'), 'targets').signed;
    expect([...targets.keys()].sort()).toEqual(['__proto__', 'constructor']);
    expect(targets.has('toString')).toBe(false);
  });

  it('answers any JSON with metadata or tuf.malformed, never with another error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(GOOD)), (value, role) => {
        expect(refused(Buffer.from(JSON.stringify(value)), role as Role).code).toBe('tuf.malformed');
        const inside = Buffer.from(JSON.stringify({ signed: value, signatures: [] }));
        expect(refused(inside, role as Role).code).toBe('tuf.malformed');
      }),
    );
  });

  it('gives every role a file name that stays in its folder', () => {
    expect(metadataName('../a b/ü', 3)).toBe('3...%2Fa%20b%2F%C3%BC.json');
    expect(metadataName("?#!'()*~_-.")).toBe('%3F%23%21%27%28%29%2A~_-..json');
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (role) => {
        expect(metadataName(role)).toMatch(/^[A-Za-z0-9_.~%-]+\.json$/);
      }),
    );
  });
});

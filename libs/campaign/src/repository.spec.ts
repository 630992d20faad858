import { beforeEach, describe, expect, it } from 'vitest';
import { drive, generateSigner, type Signer, TufClient, type TufPorts, targetOf } from '#tuf/index.js';
import type { Catalogue } from './catalogue.js';
import {
  fileNameOf,
  LIFETIME_MS,
  nextPublication,
  nextRoot,
  nextTargets,
  OFFLINE_KEYS,
  ONLINE_ROLES,
  type OnlineSigners,
  type RoleFile,
  type RoleKeyring,
} from './repository.js';

const NOW = Date.parse('2026-11-24T09:00:00.000Z');

/** A repository in memory, as it is served: files by name, and the newest of each role. */
class Served {
  readonly byName = new Map<string, Uint8Array>();
  readonly byRole = new Map<string, RoleFile>();
  root: Signer[] = signers();
  readonly targets: Signer[] = signers();
  online = Object.fromEntries(ONLINE_ROLES.map((role) => [role, generateSigner()])) as unknown as OnlineSigners;

  add(files: readonly RoleFile[]): readonly RoleFile[] {
    for (const file of files) {
      this.byName.set(fileNameOf(file), file.bytes);
      this.byRole.set(file.role, file);
    }
    return files;
  }

  keys(): RoleKeyring {
    const publics = (of: readonly Signer[]) => of.map((signer) => signer.public);
    const online = Object.fromEntries(ONLINE_ROLES.map((role) => [role, publics([this.online[role]])]));
    return { root: publics(this.root), targets: publics(this.targets), ...online } as unknown as RoleKeyring;
  }

  found(): void {
    this.add([nextRoot(this.byRole, this.keys(), this.root.slice(0, 2), NOW)]);
    this.add([nextTargets(this.byRole, this.keys(), this.targets.slice(1), NOW)]);
  }

  publish(catalogue: Catalogue, now = NOW, changed = false): readonly RoleFile[] {
    return this.add(nextPublication(this.byRole, catalogue, this.online, { now, changed }));
  }
}

const signers = (): Signer[] => Array.from({ length: OFFLINE_KEYS.made }, generateSigner);

function catalogueOf(count: number, text = ''): Catalogue {
  const contents = Array.from({ length: count }, (_, i) =>
    targetOf(`content/${i}`, Buffer.from(`bytes ${i}`), { description: { name: `n${i}${text}` }, offers: [] }),
  );
  const bytes = Buffer.from('{"keys":[]}');
  return {
    contents,
    policy: [{ target: targetOf('policy/grant-keys', bytes), bytes }],
    campaigns: [],
    digest: '000000000000',
  };
}

/** What a handset that keeps its files between the updates finds. */
class Handset {
  private readonly kept = new Map<string, Uint8Array>();
  constructor(private readonly served: Served) {
    this.kept.set('root.json', served.byName.get('1.root.json')!);
  }

  async find(path: string, now = NOW) {
    const client = new TufClient({ root: this.kept.get('root.json')!, now });
    const ports: TufPorts = {
      load: async (name) => this.kept.get(name),
      store: async (name, bytes) => void this.kept.set(name, bytes),
      remove: async (name) => void this.kept.delete(name),
      fetch: async (name) => this.served.byName.get(name),
    };
    await drive(client.refresh(), ports);
    return drive(client.target(path), ports);
  }
}

describe('the repository of a channel', () => {
  let served: Served;
  beforeEach(() => {
    served = new Served();
    served.found();
  });

  it('lets a client find a content and the policy', async () => {
    served.publish(catalogueOf(3));
    const handset = new Handset(served);
    expect((await handset.find('content/2')).custom).toEqual({ description: { name: 'n2' }, offers: [] });
    expect((await handset.find('policy/grant-keys')).length).toBe(11);
  });

  it('adds nothing while nothing has changed and nothing is old', () => {
    served.publish(catalogueOf(3));
    expect(served.publish(catalogueOf(3), NOW + LIFETIME_MS.timestamp / 2 - 1_000)).toEqual([]);
  });

  it('makes the timestamp visible last', () => {
    const files = served.publish(catalogueOf(3)).map(fileNameOf);
    expect(files).toEqual(['1.catalogue.json', '1.policy.json', '1.snapshot.json', 'timestamp.json']);
  });

  it.each([
    ['timestamp', LIFETIME_MS.timestamp / 2, ['timestamp.json']],
    ['snapshot', LIFETIME_MS.snapshot / 2, ['2.snapshot.json', 'timestamp.json']],
    [
      'catalogue and policy',
      LIFETIME_MS.catalogue / 2,
      ['2.catalogue.json', '2.policy.json', '2.snapshot.json', 'timestamp.json'],
    ],
  ])('renews %s at half of its life', (_, afterMs, expected) => {
    served.publish(catalogueOf(3));
    expect(served.publish(catalogueOf(3), NOW + afterMs).map(fileNameOf)).toEqual(expected);
  });

  it('leads a handset over to a new content', async () => {
    served.publish(catalogueOf(3));
    const handset = new Handset(served);
    await handset.find('content/2');
    served.publish(catalogueOf(4));
    expect((await handset.find('content/3')).path).toBe('content/3');
  });

  it('spreads more than 1,000 contents over bins, and keeps the bins when they are fewer again', async () => {
    served.publish(catalogueOf(3));
    const handset = new Handset(served);
    await handset.find('content/2');
    served.publish(catalogueOf(1_500));
    expect((await handset.find('content/1499')).path).toBe('content/1499');
    expect(served.publish(catalogueOf(2)).map(({ role }) => role)).not.toContain('catalogue');
    expect((await handset.find('content/1')).path).toBe('content/1');
  });

  it('spreads contents whose descriptions are long although they are few', async () => {
    served.publish(catalogueOf(300, 'x'.repeat(3_000)));
    expect([...served.byRole.values()].every(({ bytes }) => bytes.length <= 524_288)).toBe(true);
    expect((await new Handset(served).find('content/299')).path).toBe('content/299');
  });

  it.each(['snapshot', 'timestamp'] as const)('lets handsets follow a new %s key', async (role) => {
    served.publish(catalogueOf(3));
    const handset = new Handset(served);
    await handset.find('content/2');
    served.online = { ...served.online, [role]: generateSigner() };
    served.add([nextRoot(served.byRole, served.keys(), served.root.slice(0, 2), NOW)]);
    served.publish(catalogueOf(3), NOW, true);
    expect((await handset.find('content/2')).path).toBe('content/2');
  });

  it('lets handsets follow new catalogue and root keys', async () => {
    served.publish(catalogueOf(3));
    const handset = new Handset(served);
    await handset.find('content/2');
    served.online = { ...served.online, catalogue: generateSigner() };
    served.add([nextTargets(served.byRole, served.keys(), served.targets.slice(0, 2), NOW)]);
    const old = served.root;
    served.root = signers();
    served.add([nextRoot(served.byRole, served.keys(), [...old.slice(0, 2), ...served.root.slice(0, 2)], NOW)]);
    served.publish(catalogueOf(4), NOW, true);
    expect((await handset.find('content/3')).path).toBe('content/3');
  });
});

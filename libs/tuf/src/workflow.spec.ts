import { beforeEach, describe, expect, it } from 'vitest';
import { binOf } from './delegation.js';
import { RepositorySimulator, SimulatedClient, START } from './testing.js';
import { drive } from './workflow.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(() => {
  repository = new RepositorySimulator();
  client = new SimulatedClient(repository);
});

/** Names fetched by an update. */
async function fetchedBy(update: () => Promise<unknown>): Promise<string[]> {
  repository.fetched.length = 0;
  await update();
  return [...repository.fetched];
}

describe('refresh', () => {
  it('asks for the next root, timestamp, snapshot, targets, in that order', async () => {
    expect(await fetchedBy(() => client.refresh())).toEqual([
      '2.root.json',
      'timestamp.json',
      '1.snapshot.json',
      '1.targets.json',
    ]);
  });

  it('keeps each file byte by byte under its unversioned name', async () => {
    repository.tamper = (_role, file) => Buffer.concat([file, bytes('\n ')]);
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    await client.refresh();
    for (const role of ['root', 'snapshot', 'targets'])
      expect(client.store.get(`${role}.json`)).toEqual(repository.file(`2.${role}.json`));
    expect(client.store.get('timestamp.json')).toEqual(repository.file('timestamp.json'));
  });

  it('fetches nothing but root and timestamp when nothing is new', async () => {
    await client.refresh();
    expect(await fetchedBy(() => client.refresh())).toEqual(['2.root.json', 'timestamp.json']);
  });

  it('keeps what was trusted before the file that is refused', async () => {
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    repository.files.delete('2.targets.json');
    await expect(client.refresh()).rejects.toThrow(refusal('tuf.unavailable'));
    expect(['root', 'timestamp', 'snapshot', 'targets'].map((role) => client.version(role))).toEqual([
      2,
      2,
      2,
      undefined,
    ]);
  });

  it('keeps the timestamp it has when one of the same version comes with other content', async () => {
    await client.refresh();
    const before = client.store.get('timestamp.json');
    repository.timestampMeta = { version: 100 };
    repository.rewrite('timestamp');
    await client.refresh();
    expect(client.store.get('timestamp.json')).toBe(before);
  });

  it('fetches anew what a torn write left behind', async () => {
    await client.refresh();
    for (const role of ['timestamp', 'snapshot', 'targets']) client.store.set(`${role}.json`, bytes('{"sig'));
    await client.refresh();
    expect(['timestamp', 'snapshot', 'targets'].map((role) => client.version(role))).toEqual([1, 1, 1]);
  });

  it('follows a repository without consistent snapshots', async () => {
    repository.consistentSnapshot = false;
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    expect(await fetchedBy(() => client.refresh())).toEqual([
      '2.root.json',
      '3.root.json',
      'timestamp.json',
      'snapshot.json',
      'targets.json',
    ]);
  });

  it('walks root after root through a rotation of every key', async () => {
    const old = repository.roles.root.signers;
    repository.rotate('root');
    const next = repository.roles.root.signers;
    repository.roles.root.signers = [...next, ...old]; // the last act of the old key: signed by both
    repository.publish('root');
    repository.roles.root.signers = next;
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) repository.rotate(role);
    repository.publish('root', 'targets', 'snapshot', 'timestamp'); // by the new key alone, which root 2 names
    await client.refresh();
    expect([client.version('root'), client.version('targets')]).toEqual([3, 2]);
  });

  it('ends with the driver’s own exception when the network fails', async () => {
    client.ports.fetch = () => Promise.reject(new Error('ECONNRESET'));
    await expect(client.refresh()).rejects.toThrow('ECONNRESET');
  });

  it('refuses a trusted root that is none with tuf.malformed', () => {
    client.store.set('root.json', bytes('{}'));
    expect(() => client.client()).toThrow(refusal('tuf.malformed'));
  });
});

describe('offline', () => {
  const offline = async () => {
    const update = client.client();
    await drive(update.loadKept(), { ...client.ports, fetch: () => Promise.resolve(undefined) });
    return update;
  };

  it('trusts what is kept without the network', async () => {
    repository.addTarget('a', bytes('a'));
    repository.publishTargets();
    await client.refresh();
    expect(await drive((await offline()).target('a'), client.ports)).toMatchObject({ path: 'a' });
  });

  it('refuses kept files past their expiry with tuf.expired', async () => {
    await client.refresh();
    client.now = START + 2 * 86_400_000;
    await expect(offline()).rejects.toThrow(refusal('tuf.expired'));
  });

  it('refuses to start with nothing kept with tuf.unavailable', async () => {
    await expect(offline()).rejects.toThrow(refusal('tuf.unavailable'));
  });
});

describe('looking a target up', () => {
  it('finds it in the first role in pre-order, and loads only roles that may speak for it', async () => {
    repository.delegate('targets', [
      { name: 'a', paths: ['x/*'] },
      { name: 'b', paths: ['*/*'] },
      { name: 'c', paths: ['y/*'] },
    ]);
    repository.delegate('a', [{ name: 'deep', paths: ['x/*'] }]);
    repository.addTarget('x/1', bytes('of b'), { role: 'b' });
    repository.addTarget('x/1', bytes('deep'), { role: 'deep' });
    repository.publishTargets();
    const update = await client.refresh();
    const fetched = await fetchedBy(async () => {
      expect(await drive(update.target('x/1'), client.ports)).toMatchObject({ length: 4 });
    });
    expect(fetched).toEqual(['2.a.json', '2.deep.json']);
  });

  it('does not look past a terminating role', async () => {
    repository.delegate('targets', [
      { name: 'a', paths: ['x/*'], terminating: true },
      { name: 'b', paths: ['x/*'] },
    ]);
    repository.addTarget('x/1', bytes('of b'), { role: 'b' });
    repository.publishTargets();
    await expect(client.target('x/1')).rejects.toThrow(refusal('tuf.unknown-target'));
  });

  it('does not return from a terminating role to what its delegator left open', async () => {
    repository.delegate('targets', [
      { name: 'a', paths: ['x/*'] },
      { name: 'b', paths: ['x/*'] },
    ]);
    repository.delegate('a', [{ name: 'last', paths: ['x/*'], terminating: true }]);
    repository.addTarget('x/1', bytes('of b'), { role: 'b' });
    repository.publishTargets();
    await expect(client.target('x/1')).rejects.toThrow(refusal('tuf.unknown-target'));
  });

  it('ignores a target outside of what its role may speak for', async () => {
    repository.delegate('targets', [{ name: 'catalogue', paths: ['content/*'] }]);
    repository.addTarget('policy/grant-keys', bytes('evil'), { role: 'catalogue' });
    repository.publishTargets();
    await expect(client.target('policy/grant-keys')).rejects.toThrow(refusal('tuf.unknown-target'));
  });

  it('ends in a ring of delegations', async () => {
    repository.delegate('targets', [{ name: 'a', paths: ['*'] }]);
    repository.delegate('a', [{ name: 'b', paths: ['*'] }]);
    repository.delegate('b', [{ name: 'a', paths: ['*'] }]);
    repository.publishTargets();
    await expect(client.target('x')).rejects.toThrow(refusal('tuf.unknown-target'));
  });

  it('refuses a chain longer than its limit with tuf.delegation-limit', async () => {
    for (let n = 0; n < 40; n++)
      repository.delegate(n === 0 ? 'targets' : `r${n - 1}`, [{ name: `r${n}`, paths: ['*'] }]);
    repository.publishTargets();
    const fetched = await fetchedBy(() => expect(client.target('x')).rejects.toThrow(refusal('tuf.delegation-limit')));
    expect(fetched.filter((name) => /\.r\d+\.json$/.test(name))).toHaveLength(32);
  });

  it('refuses a delegated role that the snapshot does not name with tuf.unknown-role', async () => {
    repository.delegate('targets', [{ name: 'ghost', paths: ['*'] }]);
    repository.publish('targets');
    repository.snapshotMeta.delete('ghost');
    repository.publish('snapshot', 'timestamp');
    await expect(client.target('x')).rejects.toThrow(refusal('tuf.unknown-role'));
  });

  it.each(['constructor', '__proto__', 'toString', '../root', ''])('does not know %j', async (path) => {
    repository.delegate('targets', [{ name: 'catalogue', paths: ['*'] }]);
    repository.publishTargets();
    await expect(client.target(path)).rejects.toThrow(refusal('tuf.unknown-target'));
  });

  it.each(['?', '#', '/delegated', '../delegated', 'ü b'])('keeps a role called %j within the folder', async (name) => {
    repository.delegate('targets', [{ name, paths: ['*'] }]);
    repository.addTarget('x', bytes('x'), { role: name });
    repository.publishTargets();
    await client.target('x');
    expect([...client.store.keys()]).toContain(`${encodeURIComponent(name)}.json`);
  });
});

describe('listing targets', () => {
  it('lists what a look-up would find, in hash bins too', async () => {
    repository.delegate('targets', [
      { name: 'catalogue', paths: ['content/*'], terminating: true },
      { name: 'policy', paths: ['rules/*'] },
    ]);
    repository.delegateToBins('catalogue', 'catalogue', 3);
    const paths = Array.from({ length: 20 }, (_, n) => `content/${n}`);
    for (const path of paths)
      repository.addTarget(path, bytes(path), { role: binOf({ namePrefix: 'catalogue', bitLength: 3 }, path) });
    repository.addTarget('rules/1', bytes('rules'), { role: 'policy' });
    repository.addTarget('content/evil', bytes('out of scope'), { role: 'policy' });
    repository.publishTargets();
    const update = await client.refresh();
    const listed = await drive(update.targets('content/'), client.ports);
    expect(listed.map(({ path }) => path).sort()).toEqual(paths.sort());
    expect((await drive(update.targets(), client.ports)).length).toBe(21);
  });

  it('refuses a repository of endless roles with tuf.delegation-limit', async () => {
    client = new SimulatedClient(repository, START, { listedRoles: 4 });
    repository.delegateToBins('targets', 'b', 3);
    repository.publishTargets();
    const update = await client.refresh();
    await expect(drive(update.targets(), client.ports)).rejects.toThrow(refusal('tuf.delegation-limit'));
  });
});

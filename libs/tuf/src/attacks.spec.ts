import { beforeEach, describe, expect, it } from 'vitest';
import { signMetadata } from './build.js';
import { canonicalJson } from './canonical-json.js';
import { TufError, type TufErrorCode } from './errors.js';
import { targetName } from './metadata.js';
import { generateSigner, type Signer } from './signer.js';
import { checkTarget } from './target-check.js';
import { RepositorySimulator, SimulatedClient, START } from './testing.js';
import { drive } from './workflow.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = new SimulatedClient(repository);
  await client.refresh();
});

/** The update is refused with this code, for this role. */
async function expectRefused(
  code: TufErrorCode,
  role: string,
  update: () => Promise<unknown> = () => client.refresh(),
) {
  const error = await update().then(
    () => undefined,
    (refusal: unknown) => refusal,
  );
  expect(error).toBeInstanceOf(TufError);
  expect({ code: (error as TufError).code, role: (error as TufError).details.role }).toEqual({ code, role });
}

/** Serves a role's file changed as JSON, its signatures as they were unless they are made anew. */
function forge(name: string, change: (file: MetadataJson) => void): void {
  const file = JSON.parse(Buffer.from(repository.file(name)).toString('utf8')) as MetadataJson;
  change(file);
  repository.files.set(name, bytes(JSON.stringify(file)));
}

interface MetadataJson {
  signatures: { keyid: string; sig: string }[];
  signed: Record<string, unknown>;
}

const signature = (signer: Signer, signed: unknown) => ({
  keyid: signer.keyId,
  sig: Buffer.from(signer.sign(canonicalJson(signed))).toString('hex'),
});

describe('rollback', () => {
  it('refuses a timestamp of an older version with tuf.rollback', async () => {
    const old = repository.file('timestamp.json');
    repository.publish('timestamp');
    await client.refresh();
    repository.files.set('timestamp.json', old);
    await expectRefused('tuf.rollback', 'timestamp');
    expect(client.version('timestamp')).toBe(2);
  });

  it('refuses a timestamp that names an older snapshot with tuf.rollback', async () => {
    const old = repository.timestampMeta;
    repository.publish('snapshot', 'timestamp');
    await client.refresh();
    repository.timestampMeta = old;
    repository.publish('timestamp');
    await expectRefused('tuf.rollback', 'snapshot');
    expect(client.version('timestamp')).toBe(2);
  });

  it('refuses an older snapshot when the kept timestamp was torn with tuf.rollback', async () => {
    repository.publish('snapshot', 'timestamp');
    await client.refresh();
    client.store.set('timestamp.json', bytes('{"signed":'));
    repository.roles.snapshot.version = 1;
    repository.rewrite('snapshot', 'timestamp');
    await expectRefused('tuf.rollback', 'snapshot');
  });

  it('refuses a snapshot that names older targets with tuf.rollback', async () => {
    repository.publishTargets();
    await client.refresh();
    repository.targetsOf('targets').version = 1;
    repository.rewrite('targets');
    repository.publish('snapshot', 'timestamp');
    await expectRefused('tuf.rollback', 'targets');
    expect([client.version('snapshot'), client.version('targets')]).toEqual([2, 2]);
  });

  it('refuses a snapshot that names an older delegated role, or none, with tuf.rollback', async () => {
    repository.delegate('targets', [{ name: 'catalogue', paths: ['content/*'] }]);
    repository.publishTargets();
    await client.refresh();
    const announced = repository.snapshotMeta.get('catalogue')!;
    repository.snapshotMeta.set('catalogue', { ...announced, version: announced.version - 1 });
    repository.publish('snapshot', 'timestamp');
    await expectRefused('tuf.rollback', 'catalogue');

    repository.snapshotMeta.delete('catalogue');
    repository.publish('snapshot', 'timestamp');
    await expectRefused('tuf.rollback', 'catalogue');
  });

  it('refuses a root that skips or repeats a version with tuf.version-mismatch', async () => {
    repository.roles.root.version = 3;
    repository.rewrite('root');
    repository.files.set('2.root.json', repository.file('3.root.json'));
    await expectRefused('tuf.version-mismatch', 'root');
    repository.files.set('2.root.json', repository.file('1.root.json'));
    await expectRefused('tuf.version-mismatch', 'root');
    expect(client.version('root')).toBe(1);
  });
});

describe('freeze', () => {
  it('refuses a timestamp that is replayed past its expiry with tuf.expired', async () => {
    client.now = START + 25 * HOUR;
    await expectRefused('tuf.expired', 'timestamp');
    repository.roles.timestamp.expires = client.now + DAY;
    repository.publish('timestamp');
    await client.refresh(); // recovers once the repository is back
  });

  it('does not keep a new timestamp that has expired already', async () => {
    repository.roles.timestamp.expires = START - 1_000;
    repository.publish('timestamp');
    await expectRefused('tuf.expired', 'timestamp');
    expect(client.version('timestamp')).toBe(1);
  });

  it('refuses an expired snapshot and expired targets with tuf.expired', async () => {
    client.now = START + 8 * DAY;
    repository.roles.timestamp.expires = client.now + DAY;
    repository.publish('timestamp');
    await expectRefused('tuf.expired', 'snapshot');

    client.now = START + 91 * DAY;
    for (const role of ['snapshot', 'timestamp']) repository.state(role).expires = client.now + DAY;
    repository.publish('snapshot', 'timestamp');
    await expectRefused('tuf.expired', 'targets');
  });

  it('refuses an expired delegated role with tuf.expired', async () => {
    repository.delegate('targets', [{ name: 'catalogue', paths: ['content/*'] }]);
    repository.targetsOf('catalogue').expires = START - 1_000;
    repository.publishTargets();
    await expectRefused('tuf.expired', 'catalogue', () => client.target('content/a'));
  });

  it('refuses an expired root with tuf.expired, and passes over an expired one on the way to the last', async () => {
    repository.roles.root.expires = START - DAY;
    repository.publish('root');
    await expectRefused('tuf.expired', 'root');
    expect(client.version('root')).toBe(2);
    repository.roles.root.expires = START + DAY;
    repository.publish('root');
    await client.refresh();
    expect(client.version('root')).toBe(3);
  });

  it('measures every expiry at the start of the update, to the second', async () => {
    client.now = START + DAY - 1;
    await client.refresh();
    client.now = START + DAY;
    await expectRefused('tuf.expired', 'timestamp');
  });
});

describe('mix-and-match', () => {
  it('refuses targets of another snapshot with tuf.hash-mismatch', async () => {
    repository.publishTargets();
    repository.files.set('2.targets.json', sameLength(repository.file('2.targets.json')));
    await expectRefused('tuf.hash-mismatch', 'targets');
    expect(client.version('targets')).toBe(1);
  });

  it('refuses a snapshot that is not the announced one with tuf.hash-mismatch', async () => {
    repository.publish('snapshot', 'timestamp');
    repository.files.set('2.snapshot.json', sameLength(repository.file('2.snapshot.json')));
    await expectRefused('tuf.hash-mismatch', 'snapshot');
  });

  it('refuses a snapshot of another version than announced with tuf.version-mismatch', async () => {
    repository.publish('snapshot');
    repository.files.set('5.snapshot.json', repository.file('2.snapshot.json'));
    repository.timestampMeta = { version: 5 };
    repository.publish('timestamp');
    await expectRefused('tuf.version-mismatch', 'snapshot');
  });

  it('refuses targets of another version than announced with tuf.version-mismatch', async () => {
    repository.publish('targets');
    repository.files.set('5.targets.json', repository.file('2.targets.json'));
    repository.snapshotMeta.set('targets', { version: 5 });
    repository.publish('snapshot', 'timestamp');
    await expectRefused('tuf.version-mismatch', 'targets');
  });

  it('refuses a digest by an algorithm that it does not know with tuf.hash-mismatch', async () => {
    repository.publish('snapshot');
    repository.timestampMeta = { version: 2, hashes: { constructor: 'ab'.repeat(32) } };
    repository.publish('timestamp');
    await expectRefused('tuf.hash-mismatch', 'snapshot');
  });

  it('does not take its kept snapshot for a new one of the same version', async () => {
    repository.tamper = (role, file) => (role === 'snapshot' ? Buffer.concat([file, bytes(' ')]) : file);
    repository.rewrite('snapshot');
    repository.publish('timestamp');
    repository.fetched.length = 0;
    await client.refresh();
    expect(repository.fetched).toContain('1.snapshot.json');
  });

  it('refuses a swapped delegated role with tuf.threshold where the snapshot has no digests', async () => {
    repository.delegate('targets', [
      { name: 'catalogue', paths: ['content/*'] },
      { name: 'policy', paths: ['*'] },
    ]);
    repository.publish('policy', 'catalogue', 'targets');
    for (const [role, { version }] of repository.snapshotMeta) repository.snapshotMeta.set(role, { version });
    repository.publish('snapshot', 'timestamp');
    repository.files.set('2.catalogue.json', repository.file('2.policy.json'));
    await expectRefused('tuf.threshold', 'catalogue', () => client.target('content/a'));
  });

  it('refuses a swapped artifact with tuf.hash-mismatch', async () => {
    repository.addTarget('a', bytes('good'));
    repository.publishTargets();
    const target = await client.target('a');
    expect(() => checkTarget(target, repository.file(`targets/${targetName(target)}`))).not.toThrow();
    expect(() => checkTarget(target, bytes('evil'))).toThrow(expect.objectContaining({ code: 'tuf.hash-mismatch' }));
  });
});

/** Another file of the same length and version. */
function sameLength(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString('utf8');
  return bytes(text.replace(/"sig":"(.)/, (_all, digit: string) => `"sig":"${digit === '0' ? '1' : '0'}`));
}

describe('fast-forward', () => {
  it('recovers a timestamp of a huge version once its key was withdrawn', async () => {
    repository.roles.timestamp.version = 2 ** 31;
    repository.rewrite('timestamp');
    await client.refresh();
    repository.rotate('timestamp');
    repository.roles.timestamp.version = 1;
    repository.publish('root');
    repository.rewrite('timestamp');
    await client.refresh();
    expect(client.version('timestamp')).toBe(1);
  });

  it('recovers a snapshot of a huge version once its key was withdrawn', async () => {
    repository.roles.snapshot.version = 2 ** 31;
    repository.rewrite('snapshot');
    repository.publish('timestamp');
    await client.refresh();
    repository.rotate('snapshot');
    repository.roles.snapshot.version = 1;
    repository.publish('root');
    repository.rewrite('snapshot');
    repository.publish('timestamp');
    await client.refresh();
    expect(client.version('snapshot')).toBe(1);
  });

  it('recovers targets of a huge version once the snapshot key was withdrawn', async () => {
    repository.targetsOf('targets').version = 2 ** 31;
    repository.rewrite('targets');
    repository.publish('snapshot', 'timestamp');
    await client.refresh();
    repository.rotate('snapshot');
    repository.targetsOf('targets').version = 1;
    repository.publish('root');
    repository.rewrite('targets');
    repository.publish('snapshot', 'timestamp');
    await client.refresh();
    expect(client.version('targets')).toBe(1);
  });

  it('recovers when only one of two keys was withdrawn, whose signature alone the old file needs', async () => {
    const [stolen, kept] = [repository.roles.timestamp.signers[0]!, generateSigner()];
    repository.roles.timestamp.signers = [stolen, kept];
    repository.publish('root');
    repository.roles.timestamp.version = 2 ** 31;
    repository.rewrite('timestamp');
    await client.refresh();
    repository.roles.timestamp.signers = [kept];
    repository.roles.timestamp.version = 3;
    repository.publish('root');
    repository.rewrite('timestamp');
    await client.refresh();
    expect(client.version('timestamp')).toBe(3);
  });

  it('keeps its protection against rollback when a key is only added', async () => {
    const old = repository.file('timestamp.json');
    repository.publish('timestamp');
    await client.refresh();
    repository.roles.timestamp.signers.push(generateSigner());
    repository.publish('root');
    repository.files.set('timestamp.json', old);
    await expectRefused('tuf.rollback', 'timestamp');
  });
});

describe('wrong key', () => {
  it.each(['root', 'timestamp', 'snapshot', 'targets'] as const)(
    'refuses %s signed by a key that root does not name with tuf.threshold',
    async (role) => {
      repository.state(role).signers = [generateSigner()];
      repository.publish(role);
      if (role !== 'root') repository.publish(...['snapshot', 'timestamp'].filter((other) => other !== role));
      if (role === 'snapshot') repository.rewrite('timestamp');
      await expectRefused('tuf.threshold', role);
      expect(client.version(role)).toBe(1);
    },
  );

  it('refuses a root that the root before did not sign with tuf.threshold, though it signs itself', async () => {
    repository.rotate('root');
    repository.publish('root');
    await expectRefused('tuf.threshold', 'root');
  });

  it('refuses a root that names keys which did not sign it with tuf.threshold, though the root before did', async () => {
    const old = repository.roles.root.signers;
    repository.rotate('root');
    repository.roles.root.version = 2;
    repository.files.set('2.root.json', signMetadata(repository.signed('root'), old));
    await expectRefused('tuf.threshold', 'root');
  });

  it('refuses a delegated role signed by the online keys with tuf.threshold', async () => {
    repository.delegate('targets', [{ name: 'catalogue', paths: ['content/*'] }]);
    repository.targetsOf('catalogue').signers = repository.roles.snapshot.signers;
    repository.publishTargets();
    await expectRefused('tuf.threshold', 'catalogue', () => client.target('content/a'));
  });

  it('refuses a changed file under an honest signature with tuf.threshold', async () => {
    repository.publish('timestamp');
    forge('timestamp.json', (file) => (file.signed.version = 9));
    await expectRefused('tuf.threshold', 'timestamp');
  });

  it('refuses another role’s file with tuf.malformed, though the key fits', async () => {
    repository.roles.snapshot.signers = repository.roles.timestamp.signers;
    repository.publish('root', 'snapshot');
    repository.files.set('timestamp.json', repository.file('2.snapshot.json'));
    await expectRefused('tuf.malformed', 'timestamp');
  });
});

describe('threshold', () => {
  it('counts one key once, however many ids it is listed under', async () => {
    const signer = repository.roles.timestamp.signers[0]!;
    const ids = [signer.keyId, 'a'.repeat(64), 'b'.repeat(64)];
    const root = repository.signed('root') as unknown as {
      version: number;
      keys: Record<string, unknown>;
      roles: Record<string, unknown>;
    };
    root.version = 2;
    for (const id of ids) root.keys[id] = signer.public;
    root.roles.timestamp = { keyids: ids, threshold: 3 };
    const holder = repository.roles.root.signers[0]!;
    repository.files.set('2.root.json', bytes(JSON.stringify({ signatures: [signature(holder, root)], signed: root })));
    repository.publish('timestamp');
    forge('timestamp.json', (file) => {
      const { sig } = file.signatures[0]!;
      file.signatures = ids.map((keyid) => ({ keyid, sig }));
    });
    await expectRefused('tuf.threshold', 'timestamp');
  });

  it('refuses a role that names a key id twice with tuf.malformed', async () => {
    const signer = repository.roles.root.signers[0]!;
    repository.publish('root');
    forge('2.root.json', (file) => {
      const { timestamp } = file.signed.roles as Record<string, { keyids: string[]; threshold: number }>;
      timestamp!.keyids.push(timestamp!.keyids[0]!);
      timestamp!.threshold = 2;
      file.signatures = [signature(signer, file.signed)];
    });
    await expectRefused('tuf.malformed', 'root');
  });

  it('refuses two signatures by one key id with tuf.malformed', async () => {
    repository.publish('timestamp');
    forge('timestamp.json', (file) => file.signatures.push(file.signatures[0]!));
    await expectRefused('tuf.malformed', 'timestamp');
  });

  it('takes a file that reaches its threshold beside unreadable and foreign signatures', async () => {
    const other = generateSigner();
    repository.roles.timestamp.signers.push(other);
    repository.publish('root', 'timestamp');
    forge('timestamp.json', (file) => {
      file.signatures.find(({ keyid }) => keyid === other.keyId)!.sig = '';
      file.signatures.push({ keyid: 'f'.repeat(64), sig: 'not hex' });
    });
    await client.refresh();
    expect(client.version('timestamp')).toBe(2);
  });

  it('refuses 1 of 2 with tuf.threshold', async () => {
    const targets = repository.targetsOf('targets');
    targets.signers.push(generateSigner());
    targets.threshold = 2;
    repository.publish('root');
    targets.signers.pop();
    targets.threshold = 1;
    repository.publishTargets();
    await expectRefused('tuf.threshold', 'targets');
  });
});

describe('extra bytes and endless data', () => {
  it('refuses a file longer than announced with tuf.length-mismatch', async () => {
    repository.publishTargets();
    repository.files.set('2.targets.json', Buffer.concat([repository.file('2.targets.json'), bytes(' ')]));
    await expectRefused('tuf.length-mismatch', 'targets');
  });

  it('refuses a file shorter than announced with tuf.length-mismatch', async () => {
    repository.tamper = (role, file) => (role === 'snapshot' ? Buffer.concat([file, bytes('  ')]) : file);
    repository.publish('snapshot', 'timestamp');
    repository.files.set('2.snapshot.json', repository.file('2.snapshot.json').subarray(0, -1));
    await expectRefused('tuf.length-mismatch', 'snapshot');
  });

  it.each([
    ['root', '2.root.json', 524_288],
    ['timestamp', 'timestamp.json', 16_384],
  ])(
    'asks for no more than the cap of an endless %s and refuses it with tuf.length-mismatch',
    async (role, name, cap) => {
      let asked = 0;
      const served = repository.files;
      const endless = new SimulatedClient(repository);
      const { fetch } = endless.ports;
      endless.ports.fetch = (file, maxLength) => {
        if (file !== name) return fetch(file, maxLength);
        asked = maxLength;
        return Promise.resolve(new Uint8Array(maxLength + 1)); // what a driver has when it stops
      };
      await expectRefused('tuf.length-mismatch', role, () => endless.refresh());
      expect(asked).toBe(cap);
      expect(served.has(name)).toBe(role === 'timestamp');
    },
  );

  it('never asks for more than the cap, whatever length is announced', async () => {
    repository.publish('snapshot');
    repository.timestampMeta = { ...repository.timestampMeta, length: 10 ** 10 };
    repository.publish('timestamp');
    const lengths: number[] = [];
    const { fetch } = client.ports;
    client.ports.fetch = (name, maxLength) => {
      if (name.endsWith('snapshot.json')) lengths.push(maxLength);
      return fetch(name, maxLength);
    };
    await expectRefused('tuf.length-mismatch', 'snapshot');
    expect(lengths).toEqual([524_288]);
  });

  it('ends a walk over endless roots', async () => {
    for (let n = 0; n < 12; n++) repository.publish('root');
    const patient = new SimulatedClient(repository, START, { rootRotations: 5 });
    await patient.refresh();
    expect(patient.version('root')).toBe(6);
  });
});

describe('two delegators, one role name', () => {
  beforeEach(() => {
    repository.delegate('targets', [
      { name: 'a', paths: ['a/*'] },
      { name: 'b', paths: ['b/*'] },
    ]);
    repository.delegate('a', [{ name: 'release', paths: ['a/*'] }]);
    const keyOfA = repository.targetsOf('release').signers;
    repository.targetsOf('release').signers = [generateSigner()]; // B vouches for a key of its own
    repository.delegate('b', [{ name: 'release', paths: ['b/*'] }]);
    repository.targetsOf('release').signers = keyOfA;
    repository.addTarget('a/x', bytes('good'), { role: 'release' });
    repository.addTarget('b/x', bytes('evil'), { role: 'release' });
    repository.publish('release', 'a', 'b', 'targets', 'snapshot', 'timestamp');
  });

  it('lets the role of A speak for A and refuses it as the role of B with tuf.threshold', async () => {
    const update = await client.refresh();
    expect(await drive(update.target('a/x'), client.ports)).toMatchObject({ path: 'a/x' });
    await expectRefused('tuf.threshold', 'release', () => drive(update.target('b/x'), client.ports));
  });

  it('does so too when the role is kept from an earlier update', async () => {
    await client.target('a/x');
    await expectRefused('tuf.threshold', 'release', () => client.target('b/x'));
  });
});

import { describe, expect, it } from 'vitest';
import {
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  delegateTo,
  MAX_TARGETS,
  metaOf,
  signMetadata,
  spreadOverBins,
  targetOf,
} from './build.js';
import { binOf } from './delegation.js';
import { parseMetadata } from './parse.js';
import { generateSigner } from './signer.js';
import { TrustedSet } from './trusted-set.js';

const refusal = (code: string) => expect.objectContaining({ code }) as Error;
const now = Date.UTC(2026, 0, 1);
const expires = now + 86_400_000;
const signers = [generateSigner(), generateSigner(), generateSigner()];
const keys = signers.map((signer) => signer.public);
const offline = { keys, threshold: 2 };
const online = { keys: [keys[2]!], threshold: 1 };
const roles = { root: offline, targets: offline, snapshot: online, timestamp: online };
const many = (count: number) =>
  Array.from({ length: count }, (_, n) => targetOf(`content/${n}`, Buffer.from(String(n)), { n }));

describe('building', () => {
  it('makes a repository that the rules trust, two of three keys being enough', () => {
    const root = signMetadata(buildRoot({ version: 1, expires, roles }), signers.slice(0, 2));
    const targets = signMetadata(buildTargets({ version: 4, expires, targets: many(3) }), signers.slice(1));
    const snapshot = signMetadata(buildSnapshot({ version: 3, expires, meta: [['targets', metaOf(4, targets)]] }), [
      signers[2]!,
    ]);
    const timestamp = signMetadata(buildTimestamp({ version: 2, expires, snapshot: metaOf(3, snapshot) }), [
      signers[2]!,
    ]);
    const trusted = new TrustedSet(root, now);
    expect(trusted.updateTimestamp(timestamp)).toBe('new');
    trusted.updateSnapshot(snapshot);
    expect(trusted.updateTargets(targets).targets.get('content/2')).toEqual(many(3)[2]);
  });

  it('refuses a root with one signature of two with tuf.threshold', () => {
    const root = signMetadata(buildRoot({ version: 1, expires, roles }), signers.slice(0, 1));
    expect(() => new TrustedSet(root, now)).toThrow(refusal('tuf.threshold'));
  });

  it('refuses a threshold that its keys can never reach with tuf.malformed', () => {
    const impossible = { ...roles, snapshot: { keys: [keys[0]!, keys[0]!], threshold: 2 } };
    expect(() => buildRoot({ version: 1, expires, roles: impossible })).toThrow(refusal('tuf.malformed'));
  });

  it('refuses a fraction in custom with tuf.malformed and its place', () => {
    const targets = buildTargets({ version: 1, expires, targets: [targetOf('a', Buffer.of(), { price: 0.5 })] });
    expect(() => signMetadata(targets, signers)).toThrow(
      expect.objectContaining({
        code: 'tuf.malformed',
        fields: [expect.objectContaining({ pointer: '/targets/a/custom/price' })],
      }) as Error,
    );
  });

  it('refuses more targets than a role file may list with tuf.too-many-targets', () => {
    const lifetime = { version: 1, expires };
    expect(() => buildTargets({ ...lifetime, targets: many(MAX_TARGETS + 1) })).toThrow(
      refusal('tuf.too-many-targets'),
    );
    expect(buildTargets({ ...lifetime, targets: many(MAX_TARGETS) })._type).toBe('targets');
  });

  it('refuses a role file over 512 KiB with tuf.too-large', () => {
    const targets = [targetOf('a', Buffer.of(), { text: 'x'.repeat(524_288) })];
    expect(() => signMetadata(buildTargets({ version: 1, expires, targets }), signers)).toThrow(
      refusal('tuf.too-large'),
    );
  });

  it.each(['root', 'timestamp', 'snapshot', 'targets', ''])('refuses to delegate to %j with tuf.role-name', (name) => {
    expect(() => delegateTo([{ ...online, name, paths: ['*'] }])).toThrow(refusal('tuf.role-name'));
  });

  it('refuses to delegate twice to one name with tuf.role-name', () => {
    const role = { ...online, name: 'catalogue', paths: ['*'] };
    expect(() => delegateTo([role, role])).toThrow(refusal('tuf.role-name'));
  });

  it('writes expiry in whole seconds', () => {
    const root = parseMetadata(signMetadata(buildRoot({ version: 1, expires: expires + 999, roles }), signers), 'root');
    expect(root.signed.expires).toBe(expires);
  });
});

describe('spreading targets over bins', () => {
  it('needs none while one file is enough', () => {
    expect(spreadOverBins(many(MAX_TARGETS), 'catalogue')).toBeUndefined();
  });

  it('takes the fewest bins that keep every file within its limit, and lists empty ones', () => {
    const { bitLength, bins } = spreadOverBins(many(3_000), 'catalogue')!;
    expect(bitLength).toBe(2);
    expect([...bins.keys()]).toEqual(['catalogue-0', 'catalogue-1', 'catalogue-2', 'catalogue-3']);
    for (const [name, targets] of bins) {
      expect(targets.length).toBeLessThanOrEqual(MAX_TARGETS);
      for (const { path } of targets) expect(binOf({ bitLength, namePrefix: 'catalogue' }, path)).toBe(name);
    }
    expect([...bins.values()].flat()).toHaveLength(3_000);
  });

  it('counts bytes as well as targets, so that every bin can be signed', () => {
    const fat = Array.from({ length: 300 }, (_, n) =>
      targetOf(`content/${n}`, Buffer.of(), { text: 'x'.repeat(3_000) }),
    );
    const { bins } = spreadOverBins(fat, 'catalogue')!;
    expect(bins.size).toBeGreaterThan(1);
    for (const targets of bins.values())
      expect(signMetadata(buildTargets({ version: 1, expires, targets }), signers).length).toBeLessThan(524_288);
  });

  it('refuses a target that no bin can hold with tuf.too-many-targets', () => {
    const target = targetOf('content/1', Buffer.of(), { text: 'x'.repeat(524_288) });
    expect(() => spreadOverBins([target], 'catalogue')).toThrow(refusal('tuf.too-many-targets'));
  });

  it('never takes fewer bins than were published before', () => {
    const { bitLength, bins } = spreadOverBins(many(1), 'catalogue', { leastBits: 4 })!;
    expect([bitLength, bins.size]).toEqual([4, 16]);
  });
});

import {
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  canonicalJson,
  delegateTo,
  delegateToBins,
  type DelegationsJson,
  metadataName,
  metaOf,
  type SignedJson,
  type Signer,
  signMetadata,
  spreadOverBins,
  type TargetFile,
  TufError,
  type TufKey,
} from '#tuf/index.js';
import type { Catalogue } from './catalogue.js';

const DAY = 86_400_000;
/** How long each role's file is good for. What is signed online is renewed at half (design §4). */
export const LIFETIME_MS = {
  root: 365 * DAY,
  targets: 90 * DAY,
  catalogue: 30 * DAY,
  policy: 30 * DAY,
  snapshot: 7 * DAY,
  timestamp: DAY,
} as const;

export const OFFLINE_ROLES = ['root', 'targets'] as const;
export const ONLINE_ROLES = ['catalogue', 'policy', 'snapshot', 'timestamp'] as const;
export type OfflineRole = (typeof OFFLINE_ROLES)[number];
export type OnlineRole = (typeof ONLINE_ROLES)[number];
export type RepositoryRole = OfflineRole | OnlineRole;
/** Of three offline keys two must sign. */
export const OFFLINE_KEYS = { made: 3, threshold: 2 } as const;

const BIN_PREFIX = 'bin';

/** One metadata file as it is served. Name: `<version>.<role>.json`, `timestamp.json` for the timestamp. */
export interface RoleFile {
  role: string;
  version: number;
  bytes: Uint8Array;
}

/** The newest file of each role, delegated bins that are no longer in use included. */
export type RoleFiles = ReadonlyMap<string, RoleFile>;
export type OnlineSigners = Readonly<Record<OnlineRole, Signer>>;
/** Public keys by role, the ones in force. */
export type RoleKeyring = Readonly<Record<RepositoryRole, readonly TufKey[]>>;

export const fileNameOf = ({ role, version }: RoleFile): string =>
  metadataName(role, role === 'timestamp' ? undefined : version);

interface SignedFile {
  signed: SignedJson & { expires?: string; targets?: unknown; delegations?: DelegationsJson };
}
const signedOf = (file: RoleFile): SignedFile['signed'] =>
  (JSON.parse(Buffer.from(file.bytes).toString('utf8')) as SignedFile).signed;

export const expiresAt = (file: RoleFile): number => Date.parse(signedOf(file).expires ?? '');

const fileOf = (signed: SignedJson, role: string, signers: readonly Signer[]): RoleFile => ({
  role,
  version: signed.version,
  bytes: signMetadata(signed, signers),
});

const versionAfter = (file: RoleFile | undefined): number => (file?.version ?? 0) + 1;

/** The next root. @param signers of the old root's threshold and of the new one's, when the root keys change */
export function nextRoot(files: RoleFiles, keys: RoleKeyring, signers: readonly Signer[], now: number): RoleFile {
  const { threshold } = OFFLINE_KEYS;
  const signed = buildRoot({
    version: versionAfter(files.get('root')),
    expires: now + LIFETIME_MS.root,
    roles: {
      root: { keys: keys.root, threshold },
      targets: { keys: keys.targets, threshold },
      snapshot: { keys: keys.snapshot, threshold: 1 },
      timestamp: { keys: keys.timestamp, threshold: 1 },
    },
  });
  return fileOf(signed, 'root', signers);
}

/** The next top-level targets: no targets of its own, the two delegations only. */
export function nextTargets(files: RoleFiles, keys: RoleKeyring, signers: readonly Signer[], now: number): RoleFile {
  const delegations = delegateTo([
    { name: 'catalogue', keys: keys.catalogue, threshold: 1, paths: ['content/*'], terminating: true },
    { name: 'policy', keys: keys.policy, threshold: 1, paths: ['schema/*', 'rules/*', 'policy/*'], terminating: true },
  ]);
  const version = versionAfter(files.get('targets'));
  return fileOf(
    buildTargets({ version, expires: now + LIFETIME_MS.targets, targets: [], delegations }),
    'targets',
    signers,
  );
}

/**
 * The files that the next publication adds, in the order in which they must become visible, timestamp last; none when
 * everything stands as it should and nothing is at half of its life. Each file's version is one more than its last.
 * @param files what stands, root and targets included
 * @param changed roles whose files are new in this publication (after a rotation of offline-signed roles)
 */
export function nextPublication(
  files: RoleFiles,
  catalogue: Catalogue,
  signers: OnlineSigners,
  { now, changed = false }: { now: number; changed?: boolean },
): RoleFile[] {
  const standing = new Map(files);
  const added: RoleFile[] = [];
  const add = (file: RoleFile | undefined): void => {
    if (file === undefined) return;
    added.push(file);
    standing.set(file.role, file);
  };
  for (const file of nextCatalogue(files, catalogue.contents, signers.catalogue, now)) add(file);
  const policy = catalogue.policy.map(({ target }) => target);
  add(nextTargetsRole(files, { role: 'policy', targets: policy }, signers.policy, now));
  const snapshot = files.get('snapshot');
  if (changed || added.length > 0 || isDue(snapshot, 'snapshot', now))
    add(nextSnapshot(standing, signers.snapshot, now));
  if (added.length > 0 || isDue(files.get('timestamp'), 'timestamp', now))
    add(nextTimestamp(standing, signers.timestamp, now));
  return added;
}

/** One file while the contents fit into it, hash bins below it from then on. */
function nextCatalogue(files: RoleFiles, contents: readonly TargetFile[], signer: Signer, now: number): RoleFile[] {
  const leastBits = bitsOf(files.get('catalogue'));
  // Descriptions are of any length: a bin is halved until its bytes fit, too.
  for (let limit = 1_000; ; limit = Math.floor(limit / 2)) {
    try {
      const spread = spreadOverBins(contents, BIN_PREFIX, { limit, leastBits });
      if (spread === undefined)
        return definedOnly([nextTargetsRole(files, { role: 'catalogue', targets: contents }, signer, now)]);
      const delegations = delegateToBins({
        keys: [signer.public],
        threshold: 1,
        bitLength: spread.bitLength,
        namePrefix: BIN_PREFIX,
      });
      return definedOnly([
        nextTargetsRole(files, { role: 'catalogue', targets: [], delegations }, signer, now),
        ...[...spread.bins].map(([role, targets]) => nextTargetsRole(files, { role, targets }, signer, now)),
      ]);
    } catch (error) {
      if (!(error instanceof TufError) || error.code !== 'tuf.too-large' || limit === 1) throw error;
    }
  }
}

/** Bits of the hash bins in use; they are not given up again, since handsets refuse a role's removal. */
function bitsOf(file: RoleFile | undefined): number {
  const bins = file === undefined ? undefined : signedOf(file).delegations?.succinct_roles;
  return (bins as { bit_length?: number } | undefined)?.bit_length ?? 0;
}

interface TargetsRole {
  role: string;
  targets: readonly TargetFile[];
  delegations?: DelegationsJson;
}

/** undefined while the standing file says the same, is by the same key, and is young enough. */
function nextTargetsRole(files: RoleFiles, wanted: TargetsRole, signer: Signer, now: number): RoleFile | undefined {
  const { role, targets, delegations } = wanted;
  const life = role === 'policy' ? 'policy' : 'catalogue';
  const standing = files.get(role);
  const version = versionAfter(standing);
  const signed = buildTargets({ version, expires: now + LIFETIME_MS[life], targets, delegations });
  const isSame =
    standing !== undefined &&
    !isDue(standing, life, now) &&
    isSignedBy(standing, signer) &&
    saysOf(signedOf(standing)).equals(saysOf(signed));
  return isSame ? undefined : fileOf(signed, role, [signer]);
}

const saysOf = ({ targets, delegations }: SignedFile['signed']): Buffer =>
  Buffer.from(canonicalJson({ targets, delegations }));

const isSignedBy = (file: RoleFile, { keyId }: Signer): boolean =>
  (JSON.parse(Buffer.from(file.bytes).toString('utf8')) as { signatures: { keyid: string }[] }).signatures.some(
    (signature) => signature.keyid === keyId,
  );

function nextSnapshot(standing: RoleFiles, signer: Signer, now: number): RoleFile {
  const meta = [...standing.values()]
    .filter(({ role }) => !['root', 'snapshot', 'timestamp'].includes(role))
    .map(({ role, version, bytes }) => [role, metaOf(version, bytes)] as const);
  const version = versionAfter(standing.get('snapshot'));
  return fileOf(buildSnapshot({ version, expires: now + LIFETIME_MS.snapshot, meta }), 'snapshot', [signer]);
}

function nextTimestamp(standing: RoleFiles, signer: Signer, now: number): RoleFile {
  const snapshot = standing.get('snapshot')!; // made before: the first publication always adds one
  const version = versionAfter(standing.get('timestamp'));
  const meta = metaOf(snapshot.version, snapshot.bytes);
  return fileOf(buildTimestamp({ version, expires: now + LIFETIME_MS.timestamp, snapshot: meta }), 'timestamp', [
    signer,
  ]);
}

/** Past half of its life. */
export const isDue = (file: RoleFile | undefined, role: keyof typeof LIFETIME_MS, now: number): boolean =>
  file === undefined || expiresAt(file) - now <= LIFETIME_MS[role] / 2;

const definedOnly = <T>(items: readonly (T | undefined)[]): T[] => items.filter((item) => item !== undefined);

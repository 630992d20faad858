import { createHash } from 'node:crypto';
import { type Delegations, type HashBins, type RoleKeys, type Scope } from './metadata.js';

/** A delegated role that may speak for a path. Bins are terminating: each path has exactly one. */
export interface Delegate {
  readonly name: string;
  readonly terminating: boolean;
}

/** The delegated roles to ask about a path, in order of trust. */
export function delegatesFor({ roles, bins }: Delegations, path: string): Delegate[] {
  if (bins !== undefined) return [{ name: binOf(bins, path), terminating: true }];
  return roles.filter(({ scope }) => isInScope(scope, path));
}

/** Every delegated role, in order of trust; bins in the order of their numbers. Lazy: there may be 2^32 bins. */
export function* allDelegates({ roles, bins }: Delegations): Iterable<string> {
  for (const { name } of roles) yield name;
  if (bins !== undefined) yield* binNames(bins);
}

export function* binNames(bins: Pick<HashBins, 'bitLength' | 'namePrefix'>): Iterable<string> {
  for (let n = 0; n < 2 ** bins.bitLength; n++) yield binName(bins, n);
}

/** Whose signatures a delegated role needs, or undefined when nothing is delegated to that name. */
export function keysOfDelegate({ roles, bins }: Delegations, name: string): RoleKeys | undefined {
  if (bins !== undefined) return isBin(bins, name) ? bins : undefined;
  return roles.find((role) => role.name === name);
}

export function isInScope(scope: Scope, path: string): boolean {
  if ('paths' in scope) return scope.paths.some((pattern) => matchesPattern(pattern, path));
  const digest = sha256(path);
  return scope.pathHashPrefixes.some((prefix) => digest.startsWith(prefix));
}

/** `*` any run and `?` any one character, neither over a `/`: segments are compared one by one (specification §4.5). */
export function matchesPattern(pattern: string, path: string): boolean {
  const patterns = pattern.split('/');
  const segments = path.split('/');
  return (
    patterns.length === segments.length && patterns.every((part, i) => matchesSegment([...part], [...segments[i]!]))
  );
}

/** Greedy with one step back to the last star: product of the lengths at worst, whatever a hostile pattern says. */
function matchesSegment(pattern: readonly string[], text: readonly string[]): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Name of the bin that a path falls into: the first `bitLength` bits of the path's sha-256 (TAP 15). */
export function binOf(bins: Pick<HashBins, 'bitLength' | 'namePrefix'>, path: string): string {
  const first32 = createHash('sha256').update(path, 'utf8').digest().readUInt32BE(0);
  return binName(bins, first32 >>> (32 - bins.bitLength));
}

function binName({ bitLength, namePrefix }: Pick<HashBins, 'bitLength' | 'namePrefix'>, n: number): string {
  const digits = Math.ceil(bitLength / 4); // of the largest number, 2^bitLength − 1
  return `${namePrefix}-${n.toString(16).padStart(digits, '0')}`;
}

function isBin(bins: HashBins, name: string): boolean {
  const suffix = name.slice(bins.namePrefix.length + 1);
  if (!/^[0-9a-f]{1,8}$/.test(suffix)) return false;
  const n = Number.parseInt(suffix, 16);
  return n < 2 ** bins.bitLength && binName(bins, n) === name;
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

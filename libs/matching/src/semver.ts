/** `major.minor.patch[-pre][+build]`, numbers without leading zeros (Semantic Versioning 2.0.0 §2, §9, §10). */
const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

interface Version {
  numbers: readonly string[];
  pre: readonly string[];
}

function parseVersion(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const [, major = '', minor = '', patch = '', pre] = match;
  return { numbers: [major, minor, patch], pre: pre === undefined ? [] : pre.split('.') };
}

/** −1, 0 or 1 by precedence (Semantic Versioning 2.0.0 §11); undefined if either is not a version. */
export function compareVersions(left: string, right: string): -1 | 0 | 1 | undefined {
  const a = parseVersion(left);
  const b = parseVersion(right);
  if (a === undefined || b === undefined) return undefined;
  for (const [at, number] of a.numbers.entries()) {
    const order = compareNumbers(number, b.numbers[at] ?? '0');
    if (order !== 0) return order;
  }
  return comparePreReleases(a.pre, b.pre);
}

/** A version without pre-release is higher than one with it; else field by field, and the longer list wins (§11.3, §11.4). */
function comparePreReleases(a: readonly string[], b: readonly string[]): -1 | 0 | 1 {
  if (a.length === 0 || b.length === 0) return order(b.length, a.length);
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const result = compareIdentifiers(a[at] ?? '', b[at] ?? '');
    if (result !== 0) return result;
  }
  return order(a.length, b.length);
}

/** Numeric identifiers are lower than alphanumeric ones (§11.4.3). */
function compareIdentifiers(a: string, b: string): -1 | 0 | 1 {
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)] as const;
  if (numeric[0] && numeric[1]) return compareNumbers(a, b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return order(a, b);
}

/** Decimal numbers of any length without leading zeros: the longer is the larger. */
const compareNumbers = (a: string, b: string): -1 | 0 | 1 => order(a.length, b.length) || order(a, b);

function order<T extends string | number>(a: T, b: T): -1 | 0 | 1 {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Numbers of a version that can be packed, each. */
const PACKED = 131_072;

/**
 * A version as one number below 2^53 that orders as versions do, all pre-releases of one release alike, just below it.
 * @returns undefined for what is no version, or has a number from 131 072 on; `compareVersions` is for those
 */
export function packVersion(text: string): { rank: number; isPreRelease: boolean } | undefined {
  const version = parseVersion(text);
  if (version === undefined) return undefined;
  const [major = 0, minor = 0, patch = 0] = version.numbers.map(Number);
  if (Math.max(major, minor, patch) >= PACKED) return undefined;
  const isPreRelease = version.pre.length > 0;
  return { rank: ((major * PACKED + minor) * PACKED + patch) * 2 + (isPreRelease ? 0 : 1), isPreRelease };
}

export const isVersion = (text: string): boolean => parseVersion(text) !== undefined;

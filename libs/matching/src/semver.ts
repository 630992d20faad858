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

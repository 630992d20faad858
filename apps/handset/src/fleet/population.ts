import { HandsetError } from '#handset/index.js';

/** One kind of handset, and what befalls it. */
export interface Kind {
  /** So many of each round of the population. */
  count: number;
  /** What it knows of itself; stays in this process. */
  attributes: Readonly<Record<string, unknown>>;
  /** Its owner says no. */
  refuses: boolean;
  /** The network that it comes to costs money. */
  metered: boolean;
  /** Loses its connection in the middle of each content's first transfer. */
  cuts: boolean;
  /** Goes away in the middle of each content's first transfer, and comes back later. */
  vanishes: boolean;
  /** Its installations fail. */
  failsInstall: boolean;
}

/** Shares of all handsets, 0 to 1, for which something holds whatever their kind says. */
export interface Shares {
  cuts: number;
  vanishes: number;
  failsInstall: number;
}

const FLAGS = ['refuses', 'metered', 'cuts', 'vanishes', 'failsInstall'] as const;

const PLAIN: Kind = {
  count: 1,
  attributes: {},
  refuses: false,
  metered: false,
  cuts: false,
  vanishes: false,
  failsInstall: false,
};

/**
 * Kinds from JSON lines, e.g. `{"count": 3, "attributes": {"model": "A"}, "cuts": true}`; what a line does not say is no.
 * @throws HandsetError `attributes.malformed`, which names the line
 */
export function readPopulation(text: string): Kind[] {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]));
  const kinds = lines.map(({ line, number }) => kindFrom(line, number));
  return kinds.length === 0 ? [PLAIN] : kinds;
}

function kindFrom(line: string, number: number): Kind {
  const value = parsed(line);
  if (!isKind(value))
    throw new HandsetError('attributes.malformed', { line: number }, `line ${number} is not a kind of handset`);
  return { ...PLAIN, ...value };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // refused by the caller
  }
}

function isKind(value: unknown): value is Partial<Kind> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { count = 1, attributes = {}, ...rest } = value as Record<string, unknown>;
  const hasCount = typeof count === 'number' && Number.isInteger(count) && count > 0;
  const hasAttributes = typeof attributes === 'object' && attributes !== null && !Array.isArray(attributes);
  const isFlag = ([name, flag]: [string, unknown]) =>
    FLAGS.some((known) => known === name) && typeof flag === 'boolean';
  return hasCount && hasAttributes && Object.entries(rest).every(isFlag);
}

/** The kind of the n-th handset: kinds in their order, by their counts, round after round. */
export function kindOf(kinds: readonly Kind[], n: number, shares: Shares): Kind {
  const round = kinds.reduce((sum, { count }) => sum + count, 0);
  let place = n % round;
  const kind = kinds.find(({ count }) => (place -= count) < 0) ?? PLAIN;
  return {
    ...kind,
    cuts: kind.cuts || isAmong(n, shares.cuts, 0),
    vanishes: kind.vanishes || isAmong(n, shares.vanishes, 1 / 3),
    failsInstall: kind.failsInstall || isAmong(n, shares.failsInstall, 2 / 3),
  };
}

const GOLDEN = 0.618_033_988_749_895;

/** Spread evenly over the fleet by the golden ratio, so that a share is met at every size; each share has its own handsets. */
const isAmong = (n: number, share: number, offset: number): boolean => (n * GOLDEN + offset) % 1 < share;

import { type Attributes, type CheckedRule, evaluate, type Truth } from '#matching/index.js';
import { wilsonLowerBound } from './waves.js';

/** So many devices; where a sample was looked at, an estimate with its bounds, Wilson's at 95 %. */
export interface Share {
  devices: number;
  from: number;
  to: number;
}

/** What a rule comes to for devices that were looked at. */
export interface AudienceShares {
  matching: Share;
  notMatching: Share;
  /** It asks for what they have not told. */
  unknown: Share;
  /** They have told nothing at all, or nothing that the schema of today has. */
  untold: Share;
  /** Match, and do not by the other rule; and the other way round. */
  gained: Share;
  lost: Share;
}

type Count = Record<keyof AudienceShares, number>;

/** True where one rule is, unknown where none is and one may be. */
export function anyOf(rules: readonly CheckedRule[], device: Attributes): Truth {
  let found: Truth = false;
  for (const rule of rules) {
    const { result } = evaluate(rule, { device });
    if (result === true) return true;
    if (result === 'unknown') found = 'unknown';
  }
  return found;
}

/** Counts whom rules are for, any of which will do, and beside it whom others are for that stand in their place today. */
export class AudienceTally {
  private looked = 0;
  private readonly count: Count = { matching: 0, notMatching: 0, unknown: 0, untold: 0, gained: 0, lost: 0 };

  constructor(
    private readonly rules: readonly CheckedRule[],
    private readonly others: readonly CheckedRule[] = [],
  ) {}

  /** @param attributes null: nothing is known of it */
  add(attributes: Attributes | null): void {
    this.looked += 1;
    if (attributes === null) {
      this.count.untold += 1;
      return;
    }
    const now = anyOf(this.rules, attributes);
    this.count[now === 'unknown' ? 'unknown' : now ? 'matching' : 'notMatching'] += 1;
    const before = anyOf(this.others, attributes);
    if (now === true && before !== true) this.count.gained += 1;
    if (now !== true && before === true) this.count.lost += 1;
  }

  /** @param total of the devices of which those that were looked at are a sample, or all */
  shares(total: number): AudienceShares & { looked: number } {
    const { looked } = this;
    const share = (hits: number): Share => {
      if (looked === 0) return { devices: 0, from: 0, to: total };
      if (looked >= total) return { devices: hits, from: hits, to: hits };
      return {
        devices: Math.round((hits / looked) * total),
        // Whoever was looked at is one for certain.
        from: Math.max(hits, Math.floor(wilsonLowerBound(hits, looked) * total)),
        to: Math.min(total - (looked - hits), Math.ceil((1 - wilsonLowerBound(looked - hits, looked)) * total)),
      };
    };
    const { matching, notMatching, unknown, untold, gained, lost } = this.count;
    return {
      looked,
      ...{ matching: share(matching), notMatching: share(notMatching), unknown: share(unknown), untold: share(untold) },
      ...{ gained: share(gained), lost: share(lost) },
    };
  }
}

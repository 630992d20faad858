import { createHash } from 'node:crypto';
import {
  type AttributeSchema,
  type Attributes,
  type CheckedRule,
  evaluate,
  type ExplainedRule,
  trace,
  type Unknown,
  untold,
} from '#matching/index.js';
import type { MatchingSide } from './offers.js';
import { checkedSelector } from './selection.js';

/** What a device told of itself, checked against the schema. */
export interface ToldOfItself {
  attributes: Attributes;
  /** IANA; undefined where it has not said. */
  zone: string | undefined;
  /** When it told, RFC 3339; null: just now. */
  at: string | null;
  /** Names of those that it has not told, or that the schema does not take its word for: what is kept here of it, and since when. */
  kept?: ReadonlyMap<string, string>;
}

/** `erased`: the device was forgotten, and with it what it told. */
export type Telling = ToldOfItself | 'not-told' | 'erased';

/** What a device that compares by itself has said of an offer. */
export interface Reported {
  fits: boolean;
  at: string;
}

export interface RuleQuestion {
  side: MatchingSide;
  told: Telling;
  /** By a device that compares by itself. */
  reported: Reported | undefined;
  maySeePersonal: boolean;
  /** Without them only the result is there, which costs a fraction. */
  withConditions: boolean;
}

/**
 * What a rule comes to for a device. Where the device compares, nobody here knows more than what it has reported, and where
 * it has told what it is, only who may see that sees by which values it was decided.
 */
export class RuleExplainer {
  private readonly checked = new Map<string, { rule: CheckedRule | string; digest: string }>();

  constructor(private readonly schema: AttributeSchema) {}

  explain(selector: string, question: RuleQuestion): ExplainedRule {
    const { rule, digest } = this.ruleOf(selector);
    const about = { selector, digest, wouldMatchIf: null };
    if (typeof rule === 'string')
      return { ...about, result: false, refused: rule, source: 'server', at: null, condition: null };
    return { ...about, ...(question.side === 'device' ? reported(rule, question) : compared(rule, question)) };
  }

  private ruleOf(selector: string): { rule: CheckedRule | string; digest: string } {
    const known = this.checked.get(selector);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(selector).digest('hex');
    const made = { rule: checkedSelector(selector, this.schema), digest };
    this.checked.set(selector, made);
    return made;
  }
}

type Result = Pick<ExplainedRule, 'result' | 'because' | 'source' | 'at' | 'condition'> &
  Partial<Pick<ExplainedRule, 'wouldMatchIf'>>;

const unknown = (rule: CheckedRule, because: Unknown, withConditions: boolean): Result => ({
  result: 'unknown',
  because,
  source: 'server',
  at: null,
  condition: withConditions ? untold(rule, because) : null,
});

function reported(rule: CheckedRule, { reported: said, withConditions }: RuleQuestion): Result {
  const nothing = unknown(rule, 'not-knowable', withConditions);
  if (said === undefined) return nothing;
  return { ...nothing, because: undefined, result: said.fits, source: 'device', at: said.at };
}

function compared(rule: CheckedRule, { told, maySeePersonal, withConditions }: RuleQuestion): Result {
  if (typeof told === 'string') return unknown(rule, told, withConditions);
  const { attributes: device, at, kept } = told;
  const from = { source: 'device', at } as const;
  if (!withConditions) return { ...from, ...resultOf(rule, device), condition: null };
  if (!maySeePersonal) return { ...from, ...resultOf(rule, device), condition: untold(rule, 'personal') };
  return { ...from, ...resultOf(rule, device), ...trace(rule, { device }, { ...from, kept }) };
}

function resultOf(rule: CheckedRule, device: Attributes): Pick<ExplainedRule, 'result' | 'because'> {
  const { result } = evaluate(rule, { device });
  return result === 'unknown' ? { result, because: 'missing' } : { result };
}

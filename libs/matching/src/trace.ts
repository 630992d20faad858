import type { AttributeEntry } from './attributes.js';
import { absorb, asTruth, invert, isLogic, resultOf, type RuleVariables, type Scope, valueOf } from './evaluate.js';
import type { Change, ExplainedCondition, ShownValue, Source, Unknown, UsedValue } from './explanation.js';
import type { RuleNode } from './rule-node.js';
import { Failure, Missing, type Outcome } from './rule-value.js';
import type { CheckedRule } from './rule.js';

/** Where the values come from that a rule reads. */
export interface Provenance {
  source: Source;
  at: string | null;
  /** Names of the device's that the server keeps instead, and since when. */
  kept?: ReadonlyMap<string, string>;
}

/** A rule part by part, none left out because another decided. */
export interface Traced {
  condition: ExplainedCondition;
  wouldMatchIf: Change[] | null;
}

/** Every part of the rule with what it comes to; as a whole it is what `evaluate` says. */
export function trace(rule: CheckedRule, variables: RuleVariables, from: Provenance): Traced {
  const walked = walk(rule.root, { variables, steps: 0 });
  const condition = shown(walked, { source: rule.source, variables, from });
  return { condition, wouldMatchIf: walked.truth === true ? null : changesFor(walked, rule.source) };
}

/** The parts of a rule whose values nobody here has. */
export function untold(rule: CheckedRule, because: Unknown): ExplainedCondition {
  const part = (node: RuleNode): ExplainedCondition => {
    const condition = rule.source.slice(node.start, node.end);
    if (!isLogic(node)) return { op: 'leaf', condition, result: 'unknown', because };
    return { op: node.op, condition, result: 'unknown', because, parts: partsOf(node).map(part) };
  };
  return part(rule.root);
}

interface Walked {
  node: RuleNode;
  truth: Outcome;
  parts: readonly Walked[];
}

const partsOf = (node: RuleNode): readonly RuleNode[] => {
  switch (node.op) {
    case 'and':
    case 'or':
      return [node.left, node.right];
    case 'not':
      return [node.operand];
    case 'if':
      return [node.condition, node.then, node.otherwise];
    default:
      return []; // a leaf: what is in it has no truth of its own
  }
};

/** The evaluator's own tables over every part; only what it need not look at is looked at as well. */
function walk(node: RuleNode, scope: Scope): Walked {
  const parts = partsOf(node).map((part) => walk(part, scope));
  const truth = isLogic(node) ? together(node, parts) : asTruth(valueOf(node, scope));
  return { node, truth, parts };
}

function together(node: RuleNode, [first, second, third]: readonly Pick<Walked, 'truth'>[]): Outcome {
  switch (node.op) {
    case 'not':
      return invert(first!.truth);
    case 'if':
      if (typeof first!.truth !== 'boolean') return first!.truth;
      return (first!.truth ? second! : third!).truth;
    default:
      return absorb(node.op === 'or', first!.truth, second!.truth);
  }
}

interface Showing {
  source: string;
  variables: RuleVariables;
  from: Provenance;
}

function shown({ node, truth, parts }: Walked, showing: Showing): ExplainedCondition {
  const about = {
    condition: showing.source.slice(node.start, node.end),
    result: resultOf(truth),
    ...(truth instanceof Missing ? { because: 'missing' as const } : {}),
    ...(truth instanceof Failure ? { error: truth.reason } : {}),
  };
  if (!isLogic(node)) return { op: 'leaf', ...about, values: valuesOf(node, showing) };
  return { op: node.op, ...about, parts: parts.map((part) => shown(part, showing)) };
}

function valuesOf(leaf: RuleNode, { variables, from }: Showing): UsedValue[] {
  const names = new Map<string, AttributeEntry | undefined>();
  const look = (node: RuleNode): void => {
    if (node.op === 'attribute' || node.op === 'has') {
      const attributes = variables[node.variable] ?? {};
      const value = Object.hasOwn(attributes, node.name) ? attributes[node.name] : undefined;
      names.set(`${node.variable}.${node.name}`, value);
    }
    for (const below of childrenOf(node)) look(below);
  };
  look(leaf);
  const { kept, ...told } = from;
  return [...names].map(([attribute, value]) => {
    const since = kept?.get(attribute.slice(attribute.indexOf('.') + 1));
    const said = since === undefined ? told : { source: 'server' as const, at: since };
    return { attribute, value: shownValue(value), ...said };
  });
}

function childrenOf(node: RuleNode): readonly RuleNode[] {
  switch (node.op) {
    case 'negate':
      return [node.operand];
    case 'list':
      return node.items;
    case 'binary':
      return [node.left, node.right];
    case 'call':
      return node.args;
    case 'exists':
    case 'all':
      return [node.list, node.body];
    default:
      return partsOf(node); // logic inside a leaf, or nothing
  }
}

const isSafe = (value: bigint): boolean => BigInt.asIntN(53, value) === value;
const shownScalar = (value: string | number | boolean | bigint): string | number | boolean =>
  typeof value !== 'bigint' ? value : isSafe(value) ? Number(value) : String(value);

export function shownValue(value: AttributeEntry | undefined): ShownValue | null {
  if (value === undefined) return null;
  return Array.isArray(value)
    ? (value as readonly (string | bigint)[]).map(shownScalar)
    : shownScalar(value as string | number | boolean | bigint);
}

/** What each condition, by its text, would have to be. */
type Wanted = ReadonlyMap<string, boolean>;

/**
 * The fewest conditions that have to come out otherwise for the rule to hold. They are taken as independent of each other, save
 * that the same text is the same condition: whether any device has values for all of them is not asked. Where several sets are
 * equally small the first in the rule is named; null when there is none, or when one text would have to be both.
 */
function changesFor(root: Walked, source: string): Change[] | null {
  const textOf = ({ node }: Walked): string => source.slice(node.start, node.end);
  const wanted = changing(root, true, textOf);
  if (wanted === undefined || retried(root, wanted, textOf) !== true) return null;
  const is = new Map<string, Change['is']>();
  const note = (walked: Walked): void => {
    if (walked.parts.length === 0) is.set(textOf(walked), resultOf(walked.truth));
    for (const part of walked.parts) note(part);
  };
  note(root);
  return [...wanted].map(([condition, to]) => ({ condition, is: is.get(condition)!, to }));
}

type TextOf = (walked: Walked) => string;

function changing(walked: Walked, want: boolean, textOf: TextOf): Wanted | undefined {
  const { node, truth, parts } = walked;
  if (truth === want) return new Map();
  const to = (at: number, wish: boolean) => changing(parts[at]!, wish, textOf);
  switch (node.op) {
    case 'literal':
      return undefined; // a constant cannot be otherwise
    case 'not':
      return to(0, !want);
    case 'and':
    case 'or':
      return want === (node.op === 'or') ? fewest(to(0, want), to(1, want)) : both(to(0, want), to(1, want));
    case 'if':
      return fewest(both(to(0, true), to(1, want)), both(to(0, false), to(2, want)));
    default:
      return new Map([[textOf(walked), want]]);
  }
}

const fewest = (a: Wanted | undefined, b: Wanted | undefined): Wanted | undefined =>
  a === undefined || (b !== undefined && b.size < a.size) ? b : a;

function both(a: Wanted | undefined, b: Wanted | undefined): Wanted | undefined {
  if (a === undefined || b === undefined) return undefined;
  const isAtOdds = [...b].some(([text, want]) => a.has(text) && a.get(text) !== want);
  return isAtOdds ? undefined : new Map([...a, ...b]);
}

/** What the rule comes to with the changes: a text that stands twice may undo elsewhere what it does here. */
function retried(walked: Walked, wanted: Wanted, textOf: TextOf): Outcome {
  if (walked.parts.length === 0) return wanted.get(textOf(walked)) ?? walked.truth;
  return together(
    walked.node,
    walked.parts.map((part) => ({ truth: retried(part, wanted, textOf) })),
  );
}

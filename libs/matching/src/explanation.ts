import type { RuleErrorReason } from './rule-value.js';

/*
 * Why a device is offered something or not: one form for the server, the command line, the agent and the console. Whoever
 * answers fills it from what it knows, and says of each thing where it knows it from.
 */

export type Truth = true | false | 'unknown';

/** As JSON has it: an integer beyond 2^53 is a decimal string. */
export type ShownValue = string | number | boolean | readonly (string | number | boolean)[];

/** Who says so: the device of itself, the log that the server keeps, the settings of the campaign, or who answers, by computing it. */
export type Source = 'device' | 'server' | 'campaign' | 'computed';

/** Why something is unknown. */
export type Unknown =
  /** The device has no such attribute. */
  | 'missing'
  /** It is compared on the device, and the server never has it. */
  | 'not-knowable'
  /** The device has not told what it is yet. */
  | 'not-told'
  /** The device was forgotten. */
  | 'erased'
  /** Who asks may not see what is personal. */
  | 'personal'
  /** Of that moment nothing was kept. */
  | 'not-kept'
  /** Another gate before it holds, so nobody has asked this one. */
  | 'not-asked';

export interface UsedValue {
  /** As rules name it, e.g. `device.model`. */
  attribute: string;
  /** null: there is none. */
  value: ShownValue | null;
  source: Source;
  /** When its source said so, RFC 3339; null: now. */
  at: string | null;
}

/** A part of a rule: `leaf` has no logic around it, and values; all others have parts. */
export interface ExplainedCondition {
  op: 'and' | 'or' | 'not' | 'if' | 'leaf';
  /** The text of the rule that it is. */
  condition: string;
  /** What fails is false, with `error`; a negation of it is false as well. */
  result: Truth;
  because?: Unknown;
  error?: RuleErrorReason;
  /** Of a leaf: what it read. */
  values?: readonly UsedValue[];
  /** Of all others: of `if` the condition, then, else. */
  parts?: readonly ExplainedCondition[];
}

/** A condition that would have to come out otherwise. */
export interface Change {
  condition: string;
  is: Truth;
  to: boolean;
}

export interface ExplainedRule {
  /** The content's selector and the campaign's, both of which must hold. */
  selector: string;
  /** sha-256 of the selector, hex: which rule it was. */
  digest: string;
  result: Truth;
  because?: Unknown;
  /** Code, when the schema at hand does not have what it names. */
  refused?: string;
  source: Source;
  at: string | null;
  condition: ExplainedCondition | null;
  /** The fewest conditions that would have to change so that it holds; null when it holds, or when nobody can say. */
  wouldMatchIf: readonly Change[] | null;
}

/** In the order in which they are asked. */
export const EXPLAINED_GATES = [
  'known',
  'channel',
  'mode',
  'offered',
  'withdrawn',
  'ended',
  'paused',
  'not-started',
  'not-running',
  'hold-out',
  'wave',
  'no-fit',
  'window',
  'taken',
  'declined',
  'retry',
  'precedence',
  'conflict',
  'cap',
] as const;
export type GateName = (typeof EXPLAINED_GATES)[number];

export interface ExplainedGate {
  gate: GateName;
  /** Whether it lets the device through. */
  passes: Truth;
  because?: Unknown;
  /** What was looked at. */
  value: Readonly<Record<string, ShownValue | null>>;
  source: Source;
  at: string | null;
}

/** One content of the campaign, for the device. */
export interface ExplainedOffer {
  contentId: string;
  campaignId: string;
  /** Whether it is offered to the device if it asks now. */
  offered: Truth;
  /** The first gate that does not let it through. */
  stoppedBy: GateName | null;
  gates: readonly ExplainedGate[];
  rule: ExplainedRule | null;
  /** What has happened so far, in order: name of the event, its reason, gate or outcome, and when it came to whoever answers. */
  history: readonly { event: string; code: string | null; at: string }[];
}

export interface Explanation {
  campaignId: string;
  deviceId: string;
  /** Who computed it. */
  by: 'server' | 'handset';
  /** The moment that gates of time were asked for, RFC 3339. */
  at: string;
  /** What the answer is as of; `as_of` takes it. null on a handset. */
  position: string | null;
  offers: readonly ExplainedOffer[];
}

/** What gates come to together: one that holds outweighs what is not known. */
export function throughAll(gates: readonly ExplainedGate[]): Pick<ExplainedOffer, 'offered' | 'stoppedBy'> {
  const stop = gates.find(({ passes }) => passes === false);
  if (stop !== undefined) return { offered: false, stoppedBy: stop.gate };
  return { offered: gates.every(({ passes }) => passes === true) ? true : 'unknown', stoppedBy: null };
}

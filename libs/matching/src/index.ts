/** Rules, attributes, triggers and offers: pure, the same code on server and handset. */
export { MatchingError, type MatchingErrorCode } from './matching-error.js';
export {
  ATTRIBUTE_LIMITS,
  ATTRIBUTE_TYPES,
  checkAttributes,
  checkSchema,
  checkSuccessor,
  type AttributeDeclaration,
  type AttributeEntry,
  type AttributeSchema,
  type AttributeType,
  type Attributes,
  type ValueSource,
} from './attributes.js';
export { checkRule, RULE_LIMITS, type CheckedRule, type RuleKind } from './rule.js';
export { evaluate, type DecidingLeaf, type RuleVariables, type Verdict } from './evaluate.js';
export { EVENT_SCHEMA, TRIGGER_EVENTS, type TriggerEvent } from './event-attributes.js';
export {
  checkRuleSet,
  FLOOR_RULE,
  isTriggerEvent,
  TRIGGER_LIMITS,
  type CheckedRuleSet,
  type RuleSet,
  type TriggerRule,
} from './rule-set.js';
export {
  initialTriggers,
  nextTimer,
  polled,
  stepTriggers,
  TIMER_FLOOR_MS,
  type Considered,
  type Fire,
  type Occurrence,
  type TriggerState,
} from './trigger.js';
export { BUCKETS, bucketOf, inWave, isHeldOut } from './bucket.js';
export { checkWindows, DEVICE_ZONE, isInWindow, nextWindowStart, type WeeklyWindow } from './window.js';
export {
  MATCH_QUESTIONS,
  matchOffer,
  type Match,
  type MatchableOffer,
  type MatchContext,
  type MatchReason,
  selectorOf,
} from './match.js';
export { SelectorIndex } from './selector-index.js';
export {
  EXPLAINED_GATES,
  throughAll,
  type Change,
  type ExplainedCondition,
  type ExplainedGate,
  type ExplainedOffer,
  type ExplainedRule,
  type Explanation,
  type GateName,
  type ShownValue,
  type Source,
  type Truth,
  type Unknown,
  type UsedValue,
} from './explanation.js';
export { shownValue, trace, type Provenance, type Traced, untold } from './trace.js';

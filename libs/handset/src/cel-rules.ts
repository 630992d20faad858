import {
  checkAttributes,
  checkRuleSet,
  checkSchema,
  EVENT_SCHEMA,
  FLOOR_RULE,
  initialTriggers,
  isTriggerEvent,
  matchOffer,
  nextTimer,
  polled,
  stepTriggers,
  TIMER_FLOOR_MS,
} from '#matching/index.js';
import { explainOffers } from './explain.js';
import { type RuleEngine } from './rule-engine.js';

/** Rules as the product's profile of CEL says, evaluated here: the same code as on the server. */
export const celRules = (): RuleEngine => ({
  checkAttributes,
  checkRuleSet,
  checkSchema,
  EVENT_SCHEMA,
  explainOffers,
  FLOOR_RULE,
  initialTriggers,
  isTriggerEvent,
  matchOffer,
  nextTimer,
  polled,
  stepTriggers,
  TIMER_FLOOR_MS,
});

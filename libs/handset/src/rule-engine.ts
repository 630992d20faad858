import type * as matching from '#matching/index.js';
import { type ExplainingParts, type Known } from './explain.js';

/**
 * What rules and offers mean: the room of matching as a port, so that the core of the agent carries no rule language. With
 * `celRules()` it is what the server has, too.
 */
export interface RuleEngine
  extends Pick<
    typeof matching,
    | 'checkAttributes'
    | 'checkRuleSet'
    | 'checkSchema'
    | 'EVENT_SCHEMA'
    | 'FLOOR_RULE'
    | 'initialTriggers'
    | 'isTriggerEvent'
    | 'matchOffer'
    | 'nextTimer'
    | 'polled'
    | 'stepTriggers'
    | 'TIMER_FLOOR_MS'
  > {
  explainOffers(parts: ExplainingParts, known: Known, of?: string): matching.Explanation[];
}

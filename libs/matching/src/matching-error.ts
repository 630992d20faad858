import { DomainError } from '#runtime/index.js';

/** Public and stable: other implementations and the problem documents name them. */
export type MatchingErrorCode =
  | 'rule.parse'
  | 'rule.too-large'
  | 'rule.unknown-attribute'
  | 'rule.unknown-function'
  | 'rule.type'
  | 'rule.nested-comprehension'
  | 'rule.cost'
  | 'schema.malformed'
  | 'schema.not-additive'
  | 'attributes.malformed'
  | 'rule-set.malformed'
  | 'window.malformed';

/** A refused rule, schema, rule set or attribute. Messages name fields and never hold an attribute's value. */
export class MatchingError extends DomainError<MatchingErrorCode> {
  override readonly name = 'MatchingError';
}

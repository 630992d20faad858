import { DomainError } from '#runtime/index.js';

/**
 * - `memory.full`: a change would need more than the element has
 * - `memory.corrupt`: no area holds a state, although one was written
 */
export type ElementErrorCode = 'memory.full' | 'memory.corrupt';

/** A refusal by the element itself; the terminal gets a status word. Names no key and no value. */
export class ElementError extends DomainError<ElementErrorCode> {
  override readonly name = 'ElementError';
}

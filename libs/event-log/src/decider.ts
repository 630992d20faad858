import type { EventShape, StreamTopic } from './event-log.js';

/**
 * The rules of one aggregate, without I/O: `decide` answers a command with the facts that follow (`[]` = it was already
 * so, a refusal is thrown); `evolve` folds a fact into the state and never throws, because history cannot be refused.
 */
export interface Decider<State, Command, Event extends EventShape> {
  topic: StreamTopic;
  initial: State;
  decide(this: void, state: State, command: Command): Event[];
  evolve(this: void, state: State, event: Event): State;
}

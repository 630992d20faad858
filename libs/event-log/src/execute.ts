import type { Decider } from './decider.js';
import { type EventContext, type EventLog, EventLogError, type EventRecord, type EventShape } from './event-log.js';

/** What a command came to: the state after it, its version, and the facts that it added (`[]` = it was already so). */
export interface Executed<State, Event> {
  state: State;
  version: number;
  events: readonly Event[];
}

export interface Aggregate {
  subject: string;
  /** The version that the caller has seen; without one the command meets whatever is there. */
  expectedVersion?: number;
}

/** How often a command is decided again because another writer was first. */
const TRIES = 5;

/**
 * Loads one stream, decides, appends. A command id that the stream holds already gets its first result again.
 * @throws EventLogError `log.version-conflict`, and whatever `decide` refuses
 */
export async function execute<State, Command, Event extends EventShape>(
  log: EventLog,
  decider: Decider<State, Command, Event>,
  aggregate: Aggregate,
  command: Command,
  context: EventContext,
): Promise<Executed<State, Event>> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await executeOnce(log, decider, aggregate, command, context);
    } catch (error) {
      const isRaced = error instanceof EventLogError && error.code === 'log.version-conflict';
      if (!isRaced || aggregate.expectedVersion !== undefined || tried === TRIES) throw error;
    }
  }
}

async function executeOnce<State, Command, Event extends EventShape>(
  log: EventLog,
  decider: Decider<State, Command, Event>,
  { subject, expectedVersion }: Aggregate,
  command: Command,
  context: EventContext,
): Promise<Executed<State, Event>> {
  const { topic, initial, decide, evolve } = decider;
  const fold = (from: State, events: readonly Event[]) => events.reduce(evolve, from);
  const records = await log.readStream<Event>(topic, context.tenant, subject);

  const lastOfCommand = records.findLast(({ commandId }) => commandId === context.commandId);
  if (lastOfCommand !== undefined) {
    const { version } = lastOfCommand;
    const events = records.filter(({ commandId }) => commandId === context.commandId).map(asEvent);
    return { state: fold(initial, records.slice(0, version).map(asEvent)), version, events };
  }

  const version = records.length;
  if (expectedVersion !== undefined && expectedVersion !== version) {
    const details = { topic, subject, expected: expectedVersion, actual: version };
    throw new EventLogError('log.version-conflict', details, 'another writer was first');
  }
  const state = fold(initial, records.map(asEvent));
  const events = decide(state, command);
  if (events.length === 0) return { state, version, events };
  const appended = await log.append(topic, { subject, expectedVersion: version }, events, context);
  return { state: fold(state, events), version: appended.version, events };
}

/** A record holds type and data of one member of the union: the log's schema said so when it was written. */
const asEvent = <Event extends EventShape>({ type, data }: EventRecord<Event>): Event =>
  ({ type, data }) as unknown as Event;

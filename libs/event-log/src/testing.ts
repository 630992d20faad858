/** For specs only: laws and helpers that other rooms' tests use. */
import { describe, expect, it } from 'vitest';
import { type EventDefinitions, eventCatalog, wireType } from './catalog.js';
import type { Decider } from './decider.js';
import type { EventShape, Topic } from './event-log.js';
import { type Projection, projection, tenantPolicy } from './projection.js';

export { contractDefinitions, type LogAdapter, logContract } from './log-contract.js';

/** What a command led to. */
export interface Outcome<Event> {
  /** Exactly these facts, in this order. */
  then(...events: Event[]): void;
  thenNothing(): void;
  /** A DomainError with this code. */
  thenRefused(code: string): void;
}

/**
 * `const given = specify(campaignDecider)`, then `given(drafted, aborted).when(start).thenRefused('campaign.aborted')`.
 * Every fact that is decided is also folded, so that `evolve` is never left behind.
 */
export function specify<State, Command, Event extends EventShape>(decider: Decider<State, Command, Event>) {
  return (...history: Event[]) => ({
    when(command: Command): Outcome<Event> {
      const state = history.reduce(decider.evolve, decider.initial);
      const decided = () => {
        const events = decider.decide(state, command);
        events.reduce(decider.evolve, state);
        return events;
      };
      return {
        then: (...events) => expect(decided()).toEqual(events),
        thenNothing: () => expect(decided()).toEqual([]),
        thenRefused: (code) => expect(decided).toThrow(expect.objectContaining({ code }) as Error),
      };
    },
  });
}

/** Every version of every event has a golden sample, and each still reaches the current schema. */
export function goldenSamples(definitions: readonly EventDefinitions[]): void {
  const catalog = eventCatalog(definitions);
  const types = definitions.flatMap(({ topic, events }) =>
    Object.entries(events).map(([type, definition]) => ({ topic, type, ...definition })),
  );
  describe('golden samples', () => {
    it.each(types)('$topic $type has one of every version', ({ version, samples }) => {
      const versions = new Set(samples.map(({ v }) => v));
      expect([...versions].toSorted((a, b) => a - b)).toEqual(Array.from({ length: version }, (_, index) => index + 1));
    });
    it.each(types)('$topic $type: each reaches the current schema', ({ topic, type, samples, version }) => {
      for (const { v, data } of samples) {
        const read = catalog.read(wireType(topic, type, v), data);
        expect(read).toMatchObject({ type, schemaVersion: version });
        catalog.check(topic, { type, data: read.data });
      }
    });
  });
}

/** How many records each tenant has: wrong at once when one is applied twice, or to tables that are no longer read. */
export function tallyByTenant(name: string, topics: readonly Topic[]): Projection {
  const table = `p_${name}_v1`;
  return projection(name, 1, {
    topics,
    tables: [table],
    ddl: [`create table ${table} (tenant text primary key, n int not null)`, tenantPolicy(table)],
    apply: async (batch, tx) => {
      await tx.query(
        `insert into ${table} as p select t, count(*) from unnest($1::text[]) t group by t
         on conflict (tenant) do update set n = p.n + excluded.n`,
        [batch.map(({ tenant }) => tenant)],
      );
    },
  });
}

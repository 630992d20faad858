import { type Clock, instant, type Log } from '#runtime/index.js';
import { type DeviceApi, FACT_BATCH } from './device-api.js';
import { hasCode } from './errors.js';
import { type DeviceFactByHandset } from './events.js';
import { type FactQueue } from './fact-queue.js';
import { type CatalogueClient } from './catalogue.js';
import { type GateSettings } from './gates.js';
import { type DeviceIdentity } from './identity.js';
import { type Hooks, type Random, type Recorder, type Transport } from './ports.js';
import { type RuleEngine } from './rule-engine.js';
import { type AgentState, type StateKeeper, type Telling } from './state.js';
import { type Store } from './store.js';

/** What the agent's steps work with. One poll has one transport; everything else lives as long as the agent. */
export interface Parts {
  store: Store;
  state: StateKeeper;
  queue: FactQueue;
  clock: Clock;
  random: Random;
  log: Log;
  recorder: Recorder | undefined;
  hooks: Hooks;
  gates: GateSettings;
  engine: RuleEngine;
  catalogues: CatalogueClient;
  identity: DeviceIdentity;
  transport: Transport;
  api: DeviceApi;
}

type Recording = Pick<Parts, 'state' | 'queue' | 'clock' | 'recorder'>;

/**
 * Queues a fact; durable when it returns. With a change of the state that it tells of, both are done as one: they lie in two files,
 * so the state says first what is told, and under which number; after a kill between the two the fact is queued once, and after
 * one behind them not again.
 */
export function record(parts: Recording, fact: DeviceFactByHandset, change?: Partial<AgentState>): void {
  finishTelling(parts);
  const { epoch, next: n } = parts.queue.sequence;
  const telling = { epoch, n, occurredAt: instant(parts.clock.now()), fact };
  if (change !== undefined) parts.state.update({ ...change, telling });
  queueUp(parts, telling);
}

/** Queues what the state says is told and the queue does not have, because the agent was killed, or its disk full, between them. */
export function finishTelling(parts: Recording): void {
  const { telling } = parts.state.now;
  const { epoch, next } = parts.queue.sequence;
  if (telling?.epoch === epoch && telling.n === next) queueUp(parts, telling);
}

function queueUp({ queue, recorder }: Recording, { fact, occurredAt }: Telling): void {
  queue.add(fact, occurredAt);
  recorder?.record(fact, occurredAt);
}

/**
 * Sends what is queued, batch by batch, until the server has it all. A batch that the server refuses as malformed is sent
 * fact by fact, and the one at fault is dropped: it must not hold up the others for ever.
 */
export async function flushFacts({ queue, api, log }: Pick<Parts, 'queue' | 'api' | 'log'>): Promise<void> {
  let atMost: number = FACT_BATCH.facts;
  for (
    let batch = queue.batch(atMost, FACT_BATCH.bytes);
    batch.length > 0;
    batch = queue.batch(atMost, FACT_BATCH.bytes)
  ) {
    const before = queue.size;
    try {
      queue.acknowledge(await api.facts(batch));
    } catch (error) {
      if (!hasCode(error, 'server.refused') || !isMalformed(error.details.status)) throw error;
      if (batch.length === 1) {
        log.error('fact.refused', { type: batch[0]!.type, code: error.details.code });
        queue.acknowledge(batch[0]!.seq);
      }
      atMost = 1;
      continue;
    }
    if (queue.size === before) return; // the server accepted nothing: not now
  }
}

const isMalformed = (status: unknown): boolean => status === 400 || status === 413 || status === 422;

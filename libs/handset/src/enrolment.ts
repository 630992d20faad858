import { type Clock, type Log, silentLog, systemClock } from '#runtime/index.js';
import { jitterMs } from './backoff.js';
import { NO_SCHEMA } from './catalogue.js';
import { keptCatalogue, refreshAnonymously, trustRoot } from './catalogue-client.js';
import { type Enrolment, enrol, keepIdentity } from './certify.js';
import { HandsetError } from './errors.js';
import { FactQueue } from './fact-queue.js';
import { type DeviceIdentity, readIdentity } from './identity.js';
import { type Random } from './ports.js';
import { refusalOf, rulesOf } from './round.js';
import { type RuleEngine } from './rule-engine.js';
import { adoptRules } from './rules.js';
import { StateKeeper } from './state.js';
import { parseJson, type Store } from './store.js';

export interface EnrolOptions {
  rules: RuleEngine;
  clock?: Clock;
  log?: Log;
  random?: Random;
}

/**
 * Makes a handset of an empty store: identity, trusted root, first rules, a sequence for its facts. The identity is
 * written last, so that a store is enrolled wholly or not at all.
 * @throws HandsetError `enrol.already`, and what `enrol` throws
 */
export async function enrolHandset(
  store: Store,
  enrolment: Enrolment,
  { rules: engine, clock = systemClock, log = silentLog, random = Math.random }: EnrolOptions,
): Promise<DeviceIdentity> {
  if (readIdentity(store) !== undefined) throw new HandsetError('enrol.already', {}, 'this store is enrolled already');
  const { identity, answer } = await enrol(store, enrolment, clock);
  trustRoot(store, answer.root);
  FactQueue.create(store, identity.epoch);
  const { intervalSeconds } = answer;
  // Over the whole of the first interval: those who enrol together shall not come back together.
  const intervalAt = clock.now() + jitterMs(intervalSeconds * 1000, random);
  new StateKeeper(store, clock, engine).update({ intervalSeconds, intervalAt });
  const rules = parseJson(Buffer.from(answer.rules));
  if (adoptRules(store, { schema: NO_SCHEMA, rules }, { engine, log: silentLog }) === undefined)
    await adoptWithSchema(store, identity, { engine, clock, log, rules });
  keepIdentity(store, identity);
  return identity;
}

/**
 * The first rules name attributes: their schema is a target of the channel. It is fetched as anyone may, without the
 * device's certificate, because this is no availability request of the device. When that fails, the floor wakes it.
 */
async function adoptWithSchema(
  store: Store,
  { server, serverCa, tuf }: DeviceIdentity,
  { engine, clock, log, rules }: { engine: RuleEngine; clock: Clock; log: Log; rules: unknown },
): Promise<void> {
  try {
    const source = { store, clock, tuf, engine };
    await refreshAnonymously(source, { origin: server, ca: serverCa });
    const catalogue = await keptCatalogue(source);
    adoptRules(store, { schema: catalogue.schema, rules: rulesOf(catalogue) ?? rules }, { engine, log });
  } catch (error) {
    log.warn('enrol.rules-later', { code: refusalOf(error).code });
  }
}

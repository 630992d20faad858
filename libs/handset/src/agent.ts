import { type TriggerName } from '#device-protocol/index.js';
import { type CheckedRuleSet, type Explanation, type Fire, type TriggerState } from '#matching/index.js';
import { type Clock, type Log, silentLog, systemClock } from '#runtime/index.js';
import { type Collected, collectAttributes } from './attributes.js';
import { spreadMs } from './backoff.js';
import { type Catalogue, type CatalogueClient, type CatalogueSource } from './catalogue.js';
import { settleInterrupted } from './deliver.js';
import { deviceApi } from './device-api.js';
import { HandsetError, hasCode } from './errors.js';
import { FactQueue } from './fact-queue.js';
import { DEFAULT_GATES, type GateSettings, noteConditions } from './gates.js';
import { type DeviceIdentity, isRenewalDue, readIdentity } from './identity.js';
import { type Parts, record } from './parts.js';
import { type Hooks, type Random, type Recorder, type Transport } from './ports.js';
import { awaitsProcessing, followUp, poll, type PollOutcome, refusalOf, rulesOf } from './round.js';
import { type RuleEngine } from './rule-engine.js';
import { adoptRules, readRules, type StoredRules } from './rules.js';
import { isUnderWay, SET_BACK_MS, StateKeeper } from './state.js';
import { type AgentStatus, statusOf } from './status.js';
import { type Store } from './store.js';

export interface AgentOptions {
  store: Store;
  /** What rules mean: `celRules()`, unless they are of another language. */
  rules: RuleEngine;
  /** How the channel's offers are learned and verified. */
  catalogue: CatalogueClient;
  /** How to reach the server as this device. Called again after a renewal. */
  connect(identity: DeviceIdentity): Transport;
  /** Gets a new certificate and keeps it, when a third of the old one's life is left. Absent: somebody else does. */
  renew?(store: Store, identity: DeviceIdentity, clock: Clock): Promise<DeviceIdentity>;
  hooks?: Hooks;
  gates?: Partial<GateSettings>;
  /** IANA zone of the device, for windows in the device's own time. */
  zone?: string;
  clock?: Clock;
  random?: Random;
  log?: Log;
  recorder?: Recorder;
}

const FULL_DISK_WAIT_MS = 30_000;

/**
 * The agent of one enrolled handset. Everything that matters is in its store, so it may be killed at any point.
 * @throws HandsetError `enrol.missing`
 */
export function createAgent(options: AgentOptions): Agent {
  const identity = readIdentity(options.store);
  if (identity === undefined) throw new HandsetError('enrol.missing', {}, 'this handset is not enrolled');
  return new Agent(identity, options);
}

export class Agent {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly zone: string;
  private readonly source: CatalogueSource;
  private parts: Parts;
  private rules: StoredRules;
  /** When something waits that no trigger announces, ms. A new process looks at once. */
  private followUpAt: number | undefined;
  private inboxLooks = 0;
  /** Polls and follow-ups run one after the other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    identity: DeviceIdentity,
    private readonly options: AgentOptions,
  ) {
    const { store, hooks = {}, random = Math.random, recorder, rules: engine, catalogue: catalogues } = options;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLog;
    this.zone = options.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.source = { store, clock: this.clock, tuf: identity.tuf, engine };
    this.rules = readRules(store, { engine, log: this.log });
    const own = { store, hooks, random, recorder, engine, catalogues, clock: this.clock, log: this.log };
    const state = new StateKeeper(store, this.clock, engine);
    const queue = this.openQueue(identity);
    const gates = { ...DEFAULT_GATES, ...options.gates };
    this.parts = { ...own, state, queue, gates, ...this.connection(identity) };
    settleInterrupted(this.parts);
    if (Object.values(state.now.contents).some(isUnderWay)) this.followUpAt = this.clock.now();
  }

  private connection(identity: DeviceIdentity): Pick<Parts, 'identity' | 'transport' | 'api'> {
    const transport = this.options.connect(identity);
    return { identity, transport, api: deviceApi(transport, this.clock) };
  }

  /** A lost queue begins again at the clock's milliseconds: more than one fact a millisecond there never was. */
  private openQueue({ epoch }: DeviceIdentity): FactQueue {
    const { store } = this.options;
    try {
      return FactQueue.open(store);
    } catch (error) {
      if (!hasCode(error, 'queue.lost')) throw error;
      this.log.error('queue.lost', { epoch });
      FactQueue.create(store, epoch, this.clock.now());
      return FactQueue.open(store);
    }
  }

  /** One round, whether or not a rule asks for it. */
  poll(trigger: TriggerName = { rule: 'manual', version: this.rules.ruleSet.version }): Promise<PollOutcome> {
    return this.exclusively(() => this.pollNow(trigger));
  }

  /** One that was asked for by hand meanwhile has settled it, or has moved it into the future. */
  private pollDue(): Promise<unknown> {
    return this.exclusively(async () => {
      const { due, notBefore } = this.parts.state.now;
      if (due === undefined || Math.max(due.at, notBefore) > this.clock.now()) return;
      await this.pollNow({ rule: due.rule, version: due.version });
    });
  }

  private async pollNow(trigger: TriggerName): Promise<PollOutcome> {
    const outcome = await poll(this.parts, trigger, this.round());
    this.followUpAt = outcome.followUpAt ?? this.followUpAt;
    return outcome;
  }

  private round() {
    const { source, zone, inboxLooks } = this;
    const adopt = (catalogue: Catalogue) => this.adopt(catalogue);
    return { source, zone, inboxLooks, adopt, renew: () => this.renewWhenDue() };
  }

  private adopt(catalogue: Catalogue): void {
    const rules = rulesOf(catalogue) ?? this.rules.rules; // without a target the set that came with enrolment counts
    const isNew = JSON.stringify(rules) !== JSON.stringify(this.rules.rules);
    const hasGrown = catalogue.schema.version !== this.rules.schema.version;
    if (!isNew && !hasGrown) return;
    this.rules = adoptRules(this.options.store, { schema: catalogue.schema, rules }, this.parts) ?? this.rules;
  }

  /**
   * Something happened on the handset. Its rules decide whether that is a reason to ask; what they read stays here. Does not
   * wait for a poll or transfer under way: from reading the state to writing it nothing else runs.
   * @throws HandsetError `event.unknown`; MatchingError `attributes.malformed` naming the field
   */
  async occur(on: string, data: Readonly<Record<string, unknown>> = {}): Promise<Fire | undefined> {
    const { engine } = this.parts;
    if (!engine.isTriggerEvent(on)) throw new HandsetError('event.unknown', { on }, 'not an event that rules know');
    const event = engine.checkAttributes(engine.EVENT_SCHEMA, data);
    const { state, store, random } = this.parts;
    noteConditions(store, on, data);
    const isAsked = this.rules.ruleSet.rules.some((rule) => rule.on.includes(on) && rule.when !== undefined);
    const device = isAsked ? (await this.collect()).attributes : {};
    const occurrence = { on, at: this.clock.now(), event };
    const step = engine.stepTriggers(state.now.triggers, occurrence, { ruleSet: this.rules.ruleSet, device, random });
    if (step.fire === undefined) state.update({ triggers: step.state });
    else this.fired(step.fire, step.state, on);
    return step.fire;
  }

  private fired(fire: Fire, triggers: TriggerState, on: string): void {
    const { rule, version } = fire;
    const due = earliest(this.parts.state.now.due, fire);
    record(this.parts, { type: 'TriggerFired', data: { rule, version, on } }, { triggers, due });
    this.wake();
  }

  private collect(): Promise<Collected> {
    return collectAttributes(this.parts.hooks, this.rules.schema, this.parts);
  }

  /** Runs until aborted: rules, timers, back-off, and what waits. A killed agent goes on here. */
  async run({ signal, maxSleepMs = 60_000 }: { signal: AbortSignal; maxSleepMs?: number }): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    await this.occur('boot');
    while (!signal.aborted) {
      const { wakeAt, step } = this.next();
      const waitMs = wakeAt - this.clock.now();
      if (waitMs > 0) await this.sleep(Math.min(waitMs, maxSleepMs));
      else await step().catch((error: unknown) => this.surviveFullDisk(error));
    }
  }

  /** Nothing that was durable is lost by a full or failing disk, and someone may make room: the agent waits and goes on. */
  private async surviveFullDisk(error: unknown): Promise<void> {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EIO') throw error;
    this.log.error('store.full', { code });
    await this.sleep(FULL_DISK_WAIT_MS);
  }

  /** What is to be done next, and when. */
  private next(): { wakeAt: number; step: () => Promise<unknown> } {
    this.followClock();
    const { due, notBefore } = this.parts.state.now;
    const steps: { wakeAt: number; step: () => Promise<unknown> }[] = [];
    // While a poll is due, no timer adds another reason for it.
    if (due === undefined) steps.push({ wakeAt: this.timerAt(), step: () => this.timer() });
    else {
      steps.push({ wakeAt: Math.max(due.at, notBefore), step: () => this.pollDue() });
    }
    if (this.followUpAt !== undefined)
      steps.push({ wakeAt: Math.max(this.followUpAt, notBefore), step: () => this.goOn() });
    return steps.reduce((first, next) => (next.wakeAt < first.wakeAt ? next : first));
  }

  /** As the state does, with what is kept in memory alone. */
  private followClock(): void {
    const now = this.clock.now();
    const setBackMs = this.lookedAt - now;
    this.lookedAt = now;
    if (setBackMs <= SET_BACK_MS) return;
    this.log.warn('clock.set-back', { setBackMs });
    this.pausedUntil -= setBackMs;
    if (this.followUpAt !== undefined) this.followUpAt -= setBackMs;
  }

  private lookedAt = 0;

  /** The first period of a rule that ends, the server's interval for rules that name none, and the floor at the latest. */
  private timerAt(): number {
    const { triggers, intervalAt } = this.parts.state.now;
    const { ruleSet } = this.rules;
    return Math.max(
      Math.min(this.parts.engine.nextTimer(triggers, ruleSet, this.clock.now()), intervalAt),
      this.pausedUntil,
    );
  }

  /** A timer that satisfied no rule: its attributes may be others in a while, so rules with a period are shown it again. */
  private async timer(): Promise<void> {
    if ((await this.occur('timer')) !== undefined) return;
    const { state, random } = this.parts;
    const now = this.clock.now();
    this.pausedUntil = now + pauseMs(this.rules.ruleSet);
    if (state.now.intervalAt <= now) state.update({ intervalAt: now + spreadMs(state.intervalMs, random) });
  }

  private pausedUntil = 0;

  private goOn(): Promise<void> {
    return this.exclusively(async () => {
      this.inboxLooks = awaitsProcessing(this.parts) ? this.inboxLooks + 1 : 0;
      this.followUpAt = await followUp(this.parts, this.round());
    });
  }

  private async renewWhenDue(): Promise<void> {
    const { store, identity } = this.parts;
    if (this.options.renew === undefined || !isRenewalDue(identity, this.clock.now())) return;
    try {
      const renewed = await this.options.renew(store, identity, this.clock);
      this.parts.transport.close();
      Object.assign(this.parts, this.connection(renewed)); // for the round under way too
      this.log.info('certificate.renewed', { deviceId: identity.deviceId });
    } catch (error) {
      const { code, retryAfterMs } = refusalOf(error);
      this.log.warn('certificate.not-renewed', { code });
      if (retryAfterMs !== undefined || code === 'server.busy') throw error; // else the old one may still do
    }
  }

  status(): AgentStatus {
    return statusOf(this.parts, this.rules.ruleSet, this.timerAt());
  }

  /** Every gate and condition of every offer at hand, by campaign, for the device's owner. Nothing is fetched and nothing sent. */
  async explain(contentOrCampaign?: string): Promise<Explanation[]> {
    const { parts, source, zone } = this;
    const catalogue = await parts.catalogues.kept(source);
    const { attributes } = await collectAttributes(parts.hooks, catalogue.schema, parts);
    return parts.engine.explainOffers(parts, { catalogue, attributes, zone }, contentOrCampaign);
  }

  /** What rules would read now, and what the schema refused. */
  attributes(): Promise<Collected> {
    return this.collect();
  }

  async close(): Promise<void> {
    await this.last;
    this.parts.transport.close();
    this.parts.queue.close();
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work);
    this.last = mine.catch(() => undefined); // whoever asked gets the error; the next step runs all the same
    return mine;
  }

  private wake: () => void = () => undefined;

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The shortest period of a timer rule, from a second to a minute. */
function pauseMs({ rules }: CheckedRuleSet): number {
  const periods = rules.flatMap(({ on, minInterval }) => (on.includes('timer') && minInterval ? [minInterval] : []));
  return Math.min(60, ...periods) * 1000;
}

const earliest = (a: Fire | undefined, b: Fire): Fire => (a === undefined || b.at < a.at ? b : a);

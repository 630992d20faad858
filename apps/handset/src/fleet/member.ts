import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Agent,
  connectByHttps,
  createAgent,
  type Enrolment,
  enrolHandset,
  HandsetError,
  type Hooks,
  isRefusal,
  type Store,
} from '#handset/index.js';
import { type Clock, type Log } from '#runtime/index.js';
import { byChance } from './arrivals.js';
import { type Meter } from './meter.js';
import { observed } from './observed-transport.js';
import { type Kind } from './population.js';

/** What the members of a fleet share. */
export interface Surroundings {
  meter: Meter;
  tally: Tally;
  clock: Clock;
  log: Log;
  random: () => number;
  /** How long an owner thinks before the transfer, on average, ms. */
  thinkMs: number;
  /** How long one is away that went in the middle of a transfer, ms. */
  awayMs: number;
  /** Told of a mistake of an agent's, which has ended it. */
  failed: (name: string, error: unknown) => void;
}

/** What befell the fleet besides its polls. */
export interface Tally {
  cutOff: number;
  wentAway: number;
  installed: number;
  failedInstalls: number;
}

const RETRY_ENROLMENT_MS = 2_000;
/** How soon to look again whether one is free that ends by an answer or an agent, not by an hour. */
const LOOK_AGAIN_MS = 100;
/** An agent that has nothing to do looks no oftener whether it has. */
const LONGEST_SLEEP_MS = 600_000;

/** One handset of a fleet: a real agent on a store of its own, and what its kind does to it. */
export class Member {
  private agent: Agent | undefined;
  private going = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private dueAt: number | undefined;
  private restsUntil = 0;
  /** Undefined while it is here; an agent that goes may take longer to end than this. */
  private awayUntil: number | undefined;
  private isAsking = false;
  private readonly spared = new Set<string>();
  private isStopped = false;

  constructor(
    readonly name: string,
    private readonly store: Store,
    readonly kind: Kind,
    private readonly around: Surroundings,
  ) {}

  /**
   * Until it is in, or the server says that it never will be.
   * @throws HandsetError the refusal; AbortError when the signal comes while it waits to try again
   */
  async enrol(enrolment: Enrolment, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.around;
    for (;;)
      try {
        await enrolHandset(this.store, enrolment, { clock, log, random });
        return;
      } catch (error) {
        const isFinal = !isRefusal(error) || error.code === 'server.refused' || error.code === 'enrol.fingerprint';
        if (isFinal) throw error;
        const { retryAfterMs } = error.details;
        await sleep(typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_ENROLMENT_MS, undefined, { signal });
      }
  }

  /** Lives by its rules from now on. */
  start(): void {
    if (this.isStopped) return;
    const { clock, log, random, failed } = this.around;
    const { store, name } = this;
    const connect: typeof connectByHttps = (identity) => observed(connectByHttps(identity), this.observer);
    const agent = createAgent({ store, hooks: this.hooks, clock, log, random, connect });
    this.agent = agent;
    this.awayUntil = undefined;
    this.going = new AbortController();
    this.running = agent
      .run({ signal: this.going.signal, maxSleepMs: LONGEST_SLEEP_MS })
      .catch((error: unknown) => failed(name, error))
      .then(() => agent.close());
  }

  /**
   * How long it cannot be made to ask still, ms: the server has sent it away, it is away by itself, or it is just asking
   * of its own accord, and may be sent away. 0: it is free.
   */
  get restMs(): number {
    const { restsUntil, awayUntil, isAsking } = this;
    const now = this.around.clock.now();
    const awayMs = awayUntil === undefined ? 0 : Math.max(LOOK_AGAIN_MS, awayUntil - now);
    return Math.max(0, restsUntil - now, awayMs, isAsking ? LOOK_AGAIN_MS : 0);
  }

  /** One poll, whatever its rules say, that should have begun at `dueAt`. Ends when all that follows from it has. */
  async poll(dueAt: number): Promise<void> {
    this.dueAt = dueAt;
    await this.agent?.poll({ rule: 'fleet', version: 0 });
  }

  /** It comes to a network: its rules decide. */
  async comeToNetwork(): Promise<void> {
    const { metered } = this.kind;
    await this.agent?.occur('network', { network: metered ? 'cellular' : 'wifi', metered });
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.going.abort();
    await this.running;
  }

  private get observer() {
    const { around } = this;
    return {
      meter: around.meter,
      now: () => around.clock.now(),
      begin: () => {
        const { dueAt } = this;
        this.dueAt = undefined;
        this.isAsking = true;
        if (this.restsUntil > around.clock.now()) around.meter.tooEarly += 1;
        return dueAt;
      },
      end: () => (this.isAsking = false),
      restUntil: (at: number) => (this.restsUntil = at),
      isGone: () => this.awayUntil !== undefined,
      isCutOff: (contentId: string) => this.isCutOff(contentId),
    };
  }

  /** Once a content. */
  private isCutOff(contentId: string): boolean {
    const { cuts, vanishes } = this.kind;
    if ((!cuts && !vanishes) || this.spared.has(contentId)) return false;
    this.spared.add(contentId);
    this.around.tally.cutOff += 1;
    if (vanishes) this.goAway();
    return true;
  }

  /** What its round has to say still it says; the agent then ends, and another one comes back on its store. */
  private goAway(): void {
    if (this.awayUntil !== undefined) return; // it was going: the same round has begun another transfer
    const { tally, awayMs, clock } = this.around;
    tally.wentAway += 1;
    this.awayUntil = clock.now() + awayMs;
    this.going.abort();
    const { running } = this;
    setTimeout(() => void running.then(() => this.start()), awayMs).unref();
  }

  private get hooks(): Hooks {
    const { tally, thinkMs, random } = this.around;
    const { attributes, refuses, failsInstall } = this.kind;
    return {
      collect: async () => attributes,
      mayStart: async () => {
        if (thinkMs > 0) await sleep(byChance(thinkMs, random));
        return !refuses;
      },
      install: async () => {
        tally[failsInstall ? 'failedInstalls' : 'installed'] += 1;
        if (failsInstall) throw new HandsetError('hook.failed', {}, 'this kind of handset cannot install');
      },
    };
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { type Enrolment } from '#handset/index.js';
import { type Clock, type Log } from '#runtime/index.js';
import { Arrivals, type Rates } from './arrivals.js';
import { fleetStore, SharedBytes } from './fleet-store.js';
import { Member, type Surroundings, type Tally } from './member.js';
import { type Line, Meter } from './meter.js';
import { type Kind, kindOf, type Shares } from './population.js';

export interface FleetOptions {
  server: Omit<Enrolment, 'code'>;
  /** One a handset. */
  codes: readonly string[];
  folder: string;
  kinds: readonly Kind[];
  shares: Shares;
  rates: Rates;
  /** What comes at each arrival: a poll, or a network, which rules may take for a reason to ask. */
  arrival: 'poll' | 'network';
  /** Each handset comes once. */
  isOnce: boolean;
  thinkMs: number;
  awayMs: number;
  enrolAtOnce: number;
  clock: Clock;
  log: Log;
  random: () => number;
}

export interface FleetSummary extends Line, Tally {
  handsets: number;
  /** Still waiting for a handset to be free when the run ended. */
  neverBegan: number;
  /** Polls before the hour that the server had given: 0, or an agent does not obey. */
  tooEarly: number;
  failureCodes: Record<string, number>;
  /** Mistakes of agents, which ended them. */
  agentsFailed: number;
}

const TICK_MS = 10;

/** Many handsets in this process, each an agent of its own over TLS of its own, and what brings them to ask. */
export class Fleet {
  readonly meter = new Meter();
  readonly tally: Tally = { cutOff: 0, wentAway: 0, installed: 0, failedInstalls: 0 };
  agentsFailed = 0;
  /** So many are in. */
  enrolled = 0;
  private readonly members: Member[];
  /** In the order in which they come next. */
  private readonly idle: Member[] = [];
  /** Arrivals that found everybody busy: the times at which they came. */
  private readonly waiting: number[] = [];
  private isStopped = false;

  constructor(private readonly options: FleetOptions) {
    const { clock, log, random, thinkMs, awayMs, kinds, shares, folder, codes } = options;
    const failed = (name: string, error: unknown) => this.failed(name, error);
    const { meter, tally } = this;
    const around: Surroundings = { meter, tally, clock, log, random, thinkMs, awayMs, failed };
    const shared = new SharedBytes();
    this.members = codes.map((_, n) => {
      const name = `handset-${n}`;
      return new Member(name, fleetStore(folder, name, shared), kindOf(kinds, n, shares), around);
    });
  }

  /**
   * All of them, so many at a time; each lives from then on. The signal ends it with those that are in by then.
   * @throws HandsetError the refusal of one that never will be
   */
  async enrol(signal: AbortSignal): Promise<void> {
    const { server, codes, enrolAtOnce } = this.options;
    const queue = this.members.entries();
    const worker = async () => {
      for (const [n, member] of queue) {
        if (signal.aborted) return;
        await member.enrol({ ...server, code: codes[n]! }, signal);
        member.start();
        this.enrolled += 1;
        this.idle.push(member);
      }
    };
    const all = Promise.all(Array.from({ length: enrolAtOnce }, worker)).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    await Promise.race([all, untilAborted(signal)]);
  }

  /** Lets them come until the time is over or the signal says so; at the latest when each has come that was to come once. */
  async drive(signal: AbortSignal, milliseconds: number): Promise<void> {
    const { clock, random, rates, isOnce } = this.options;
    const began = clock.now();
    const arrivals = new Arrivals(random, began);
    let left = isOnce ? this.members.length : Infinity;
    for (let now = began; !signal.aborted && now < began + milliseconds && left > 0; now = clock.now()) {
      const due = arrivals.due(now, rates.at(now - began)).slice(0, left);
      left -= due.length;
      for (const at of due) this.arrive(at);
      await sleep(Math.max(TICK_MS, Math.min(arrivals.waitMs(clock.now()), 100)));
    }
  }

  private arrive(at: number): void {
    for (let member = this.idle.shift(); member !== undefined; member = this.idle.shift()) {
      if (member.restMs === 0) return void this.send(member, at);
      this.lookAgain(member); // sent away, or gone, since it was free
    }
    this.waiting.push(at);
  }

  private lookAgain(member: Member): void {
    setTimeout(() => this.isFree(member), member.restMs).unref();
  }

  private async send(member: Member, at: number): Promise<void> {
    const { arrival, isOnce } = this.options;
    try {
      await (arrival === 'poll' ? member.poll(at) : member.comeToNetwork());
    } catch (error) {
      this.failed(member.name, error);
    }
    if (!isOnce) this.isFree(member);
  }

  private failed(name: string, error: unknown): void {
    this.agentsFailed += 1;
    this.options.log.error('agent.failed', { name, err: error });
  }

  /** Whoever has waited for a handset gets it, unless it rests. */
  private isFree(member: Member): void {
    if (this.isStopped) return;
    if (member.restMs > 0) return this.lookAgain(member);
    const at = this.waiting.shift();
    if (at === undefined) this.idle.push(member);
    else void this.send(member, at);
  }

  /** Nobody begins any more; what goes on has so long to end. */
  async stop(milliseconds = 5_000): Promise<void> {
    this.isStopped = true;
    const ended = Promise.all(this.members.map((member) => member.stop()));
    await Promise.race([ended, sleep(milliseconds, undefined, { ref: false })]);
  }

  summary(): FleetSummary {
    const { meter, tally, agentsFailed, members, waiting } = this;
    return {
      handsets: members.length,
      ...meter.total(),
      neverBegan: waiting.length,
      tooEarly: meter.tooEarly,
      failureCodes: Object.fromEntries(meter.failures),
      ...tally,
      agentsFailed,
    };
  }
}

/** Ends when the signal comes. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

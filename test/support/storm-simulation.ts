import { restMs, spreadMs } from '#handset/testing.js';
import { Admission, TICK_MS } from '#runtime/index.js';
import { Agenda } from './agenda.js';

/*
 * A fleet and its server by their pure rules alone, on a clock that jumps from one event to the next: the agent's spread,
 * back-off and obedience (#handset), the server's admission (#runtime). Nothing is encrypted, stored or sent.
 */

export interface Storm {
  agents: number;
  /** What the server asks for. */
  intervalMs: number;
  outageMs: number;
  /** How an outage looks. `silent`: connections are taken, and nobody answers (a stopped process); `refused`: none is taken (a killed one). */
  outage: 'silent' | 'refused';
  /** Uniform in [0, 1). */
  random: () => number;
  /** The server lets everybody in: for comparison. */
  isOpen?: boolean;
}

export interface Course {
  /** Polls a second before the outage. */
  steady: number;
  /** Most polls that began in one window after the return, a second. */
  begun: number;
  /** Most polls that were answered with work in one window after the return, a second. */
  served: number;
  sentAway: number;
  /** From the return until every agent had been served, ms; Infinity when one never was. */
  allServedMs: number;
}

/** An agent gives an unanswered request up after this. */
const PATIENCE_MS = 30_000;
/** Chance evens out over a sixtieth of an interval, and a peak is still seen. */
const windowOf = (intervalMs: number): number => Math.max(10_000, intervalMs / 60);
const LEAST_PER_SECOND = 5;
const SETTLING = 3;
const WATCHED = 4;

interface Agent {
  failures: number;
  isWaiting: boolean;
  /** First time after the return. */
  servedAt: number;
}
interface Event {
  at: number;
  agent: Agent;
  kind: 'asks' | 'gives-up';
}

/** A fleet settles for three intervals, loses its server, and is watched for four intervals after the return, which is at 0. */
export class StormSimulation {
  private readonly agenda = new Agenda<Event>();
  private readonly agents: Agent[];
  private readonly downAt: number;
  private readonly windowMs: number;
  private admission = new Admission(LEAST_PER_SECOND);
  private tickAt: number;
  private readonly begun = new Map<number, number>();
  private readonly served = new Map<number, number>();
  private sentAway = 0;

  constructor(private readonly storm: Storm) {
    const { agents, intervalMs, outageMs, random } = storm;
    this.downAt = -outageMs;
    this.windowMs = windowOf(intervalMs);
    this.tickAt = this.downAt - SETTLING * intervalMs;
    this.agents = Array.from({ length: agents }, () => ({ failures: 0, isWaiting: false, servedAt: Infinity }));
    for (const agent of this.agents) this.agenda.add({ at: this.tickAt + random() * intervalMs, agent, kind: 'asks' });
  }

  run(): Course {
    const endsAt = WATCHED * this.storm.intervalMs;
    for (
      let isBack = false, next = this.agenda.take();
      next !== undefined && next.at < endsAt;
      next = this.agenda.take()
    ) {
      if (!isBack && next.at >= 0) {
        isBack = true;
        this.comeBack();
      }
      if (next.kind === 'asks') this.ask(next.agent, next.at);
      else this.giveUp(next.agent, next.at);
    }
    return this.course();
  }

  private ask(agent: Agent, at: number): void {
    this.count(this.begun, at);
    const isDown = at >= this.downAt && at < 0;
    if (!isDown) this.answer(agent, at);
    else if (this.storm.outage === 'refused') this.fail(agent, at);
    else {
      agent.isWaiting = true;
      this.agenda.add({ at: at + PATIENCE_MS, agent, kind: 'gives-up' });
    }
  }

  private giveUp(agent: Agent, at: number): void {
    if (!agent.isWaiting) return;
    agent.isWaiting = false;
    this.fail(agent, at);
  }

  /** A process that was stopped finds those who still wait before its first tick; a new one has forgotten the usual rate. */
  private comeBack(): void {
    if (this.storm.outage === 'refused') this.admission = new Admission(LEAST_PER_SECOND);
    for (const agent of this.agents.filter(({ isWaiting }) => isWaiting)) {
      agent.isWaiting = false;
      this.decide(agent, 0);
    }
    this.tickAt = 0;
  }

  private answer(agent: Agent, at: number): void {
    for (; this.tickAt <= at; this.tickAt += TICK_MS) this.admission.tick(this.tickAt);
    this.decide(agent, at);
  }

  private decide(agent: Agent, at: number): void {
    const seconds = this.admission.ask(at);
    if (seconds !== undefined && this.storm.isOpen !== true) {
      this.sentAway += 1;
      return this.fail(agent, at, seconds * 1_000);
    }
    this.count(this.served, at);
    agent.failures = 0;
    if (at >= 0) agent.servedAt = Math.min(agent.servedAt, at);
    this.agenda.add({ at: at + spreadMs(this.storm.intervalMs, this.storm.random), agent, kind: 'asks' });
  }

  private fail(agent: Agent, at: number, retryAfterMs?: number): void {
    agent.failures += 1;
    const { intervalMs, random } = this.storm;
    const rest = restMs({ failures: agent.failures, intervalMs, retryAfterMs }, random);
    this.agenda.add({ at: at + rest, agent, kind: 'asks' });
  }

  private course(): Course {
    const perSecond = (inWindow: number) => (inWindow * 1_000) / this.windowMs;
    const usual = [...this.begun].filter(([from]) => from < this.downAt && from >= this.downAt - this.storm.intervalMs);
    const peak = (counts: Map<number, number>) =>
      perSecond(Math.max(...[...counts].filter(([from]) => from >= 0).map(([, n]) => n)));
    return {
      steady: perSecond(usual.reduce((sum, [, n]) => sum + n, 0) / usual.length),
      begun: peak(this.begun),
      served: peak(this.served),
      sentAway: this.sentAway,
      allServedMs: this.agents.reduce((last, { servedAt }) => Math.max(last, servedAt), 0),
    };
  }

  /** Windows are aligned to the return. */
  private count(windows: Map<number, number>, at: number): void {
    const from = Math.floor(at / this.windowMs) * this.windowMs;
    windows.set(from, (windows.get(from) ?? 0) + 1);
  }
}

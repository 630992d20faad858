import { type DeclineReason, type Gate } from '#device-protocol/index.js';
import { type Fire, type TriggerState } from '#matching/index.js';
import { type Clock } from '#runtime/index.js';
import { type DeviceFactByHandset } from './events.js';
import { type RuleEngine } from './rule-engine.js';
import { hasFields, readJson, type Store, writeJson } from './store.js';

const FILE = 'state.json';

/**
 * How far a content is. `installing` is written before the install hook runs, so that a crash inside it is seen: a content
 * is installed at most once, and what was interrupted is reported as failed.
 */
export type ContentStage = 'granted' | 'transferred' | 'installing' | 'installed' | 'failed' | 'cancelled';

export interface HeldContent {
  campaignId: string;
  stage: ContentStage;
  sha256: string;
  sizeBytes: number;
  /** ms */
  at: number;
  /** Applications that have processed it. */
  processed: readonly string[];
  /** Why it failed. */
  code?: string;
  isConfirmed: boolean;
}

/** On its way: nothing has been installed yet. */
export const isUnderWay = (content: HeldContent | undefined): boolean =>
  content?.stage === 'granted' || content?.stage === 'transferred';

/** It is not here yet, or has come to nothing by another campaign than the one that brings it now. */
export const isOpenTo = (content: HeldContent | undefined, campaignId: string): boolean =>
  content === undefined ||
  (content.campaignId !== campaignId && (content.stage === 'failed' || content.stage === 'cancelled'));

/** A fact that the state's last such change makes true, with the number that it has in the queue. */
export interface Telling {
  epoch: number;
  n: number;
  occurredAt: string;
  fact: DeviceFactByHandset;
}

/** Everything that the agent must not forget, besides identity, metadata and facts. Holds no attribute value. */
export interface AgentState {
  /** When this was written, ms; absent in what an older agent wrote. */
  writtenAt?: number;
  triggers: TriggerState;
  /** A rule has fired; the poll is due at `at`. */
  due?: Fire;
  /** The server or the back-off said: not before this, ms. */
  notBefore: number;
  /** Polls that failed in a row. */
  failures: number;
  /** Times in a row that a poll was answered, or what waits was gone on with, and what follows failed; none when absent. */
  setbacks?: number;
  intervalSeconds?: number;
  /** When the server wants to hear of the handset again, spread, ms: the period of timer rules that name none. */
  intervalAt: number;
  lastPoll?: { at: number; rule: string; version: number; answer: 'changed' | 'unchanged' | 'failed'; code?: string };
  timestampEtag?: string;
  inboxEtag?: string;
  /** The catalogue's present refusal: told once, not at every poll. */
  refusal?: string;
  contents: Record<string, HeldContent>;
  /** By `<contentId> <campaignId>`: what was said, so that it is said once. */
  declined: Record<string, DeclineReason>;
  /** By content id: the server's gate, and when to ask again, ms. */
  held: Record<string, { gate: Gate; retryAt?: number }>;
  /** Inbox items that were done. */
  done: readonly string[];
  /** Written with the change that it tells of, and queued after it: see `record`. */
  telling?: Telling;
}

type Beginning = Pick<RuleEngine, 'initialTriggers' | 'TIMER_FLOOR_MS'>;

const initialState = (now: number, engine: Beginning): AgentState => ({
  triggers: engine.initialTriggers(now),
  notBefore: 0,
  failures: 0,
  intervalAt: now + engine.TIMER_FLOOR_MS,
  contents: {},
  declined: {},
  held: {},
  done: [],
});

/** How far a clock may be set back before plans move with it: below, they are late by no more. */
export const SET_BACK_MS = 60_000;

/** The state in memory and on the disk; `update` is durable when it returns. */
export class StateKeeper {
  private state: AgentState;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    engine: Beginning,
  ) {
    this.state = readJson(store, FILE, isState) ?? initialState(clock.now(), engine);
  }

  /**
   * A state of the future is of a clock that has been set back since: what was planned moves back with it, or a handset
   * that was once a year ahead would stay silent for a year.
   */
  get now(): Readonly<AgentState> {
    const setBackMs = (this.state.writtenAt ?? 0) - this.clock.now();
    if (setBackMs > SET_BACK_MS) this.state = earlier(this.state, setBackMs);
    return this.state;
  }

  /** The server's interval, ms. */
  get intervalMs(): number {
    return (this.state.intervalSeconds ?? 3_600) * 1000;
  }

  update(change: Partial<AgentState>): void {
    const next = { ...this.now, ...change, writtenAt: this.clock.now() };
    writeJson(this.store, FILE, next);
    this.state = next;
  }

  /** What follows from polls gets on again. */
  endSetbacks(): void {
    if (this.state.setbacks) this.update({ setbacks: 0 });
  }

  /** The change that this is for one content, which is there. */
  withContent(contentId: string, change: Partial<HeldContent>): Pick<AgentState, 'contents'> {
    const { contents } = this.now;
    return { contents: { ...contents, [contentId]: { ...contents[contentId]!, ...change } } };
  }
}

/** Triggers see by themselves that a clock was set back. */
function earlier({ writtenAt = 0, due, held, ...state }: AgentState, ms: number): AgentState {
  const waiting = Object.entries(held).map(([contentId, { gate, retryAt }]) => {
    return [contentId, { gate, ...(retryAt === undefined ? {} : { retryAt: retryAt - ms }) }] as const;
  });
  return {
    ...state,
    writtenAt: writtenAt - ms,
    ...(due === undefined ? {} : { due: { ...due, at: due.at - ms } }),
    notBefore: state.notBefore - ms,
    intervalAt: state.intervalAt - ms,
    held: Object.fromEntries(waiting),
  };
}

const isState = (value: unknown): value is AgentState => hasFields(value, 'triggers', 'contents', 'done');

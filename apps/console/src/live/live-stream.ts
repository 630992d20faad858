import type { QueryClient } from '@tanstack/react-query';
import type { LogEvent } from '../api/wire.js';
import { SseParser } from './sse.js';
import { isTrouble, touches } from './touches.js';

export interface LiveState {
  status: 'off' | 'connecting' | 'live' | 'lost';
  /** When the last event or heartbeat came, ms. */
  heardAt: number;
  /** Newest first. */
  trouble: readonly LogEvent[];
  /** Events since the page was opened. */
  events: number;
}

/** The cache hears of changes at most four times a second, however many there are. */
const FLUSH_MS = 250;
/** A read model follows the log; once more when it has had the time. */
const AGAIN_MS = 1_500;
/** Pages of a list that is longer than so many are not read again: who scrolls keeps their place. */
const PAGES = 3;
const FEED = 50;
const BACK_OFF_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const;

/** The tab's one stream of events: resumes where it was cut, and makes stale what it concerns. */
export class LiveStream {
  private state: LiveState = { status: 'off', heardAt: 0, trouble: [], events: 0 };
  private next: LiveState = this.state;
  private readonly listeners = new Set<() => void>();
  private readonly stale = new Map<string, readonly string[]>();
  private flushing: ReturnType<typeof setTimeout> | undefined;
  private over: AbortController | undefined;
  private lastId = '';

  constructor(private readonly queries: QueryClient) {}

  readonly snapshot = (): LiveState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): () => void {
    const over = new AbortController();
    this.over = over;
    void this.follow(over.signal);
    return () => {
      over.abort();
      clearTimeout(this.flushing);
      this.flushing = undefined;
    };
  }

  private async follow(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      this.tell({ status: failures === 0 ? 'connecting' : 'lost' });
      const wasHeard = await this.readOnce(signal).catch(() => false);
      if (signal.aborted) return;
      failures = wasHeard ? 0 : failures + 1;
      const wait = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] ?? 30_000;
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (failures > 0) void this.queries.invalidateQueries({ type: 'active' }); // by polling, meanwhile
    }
  }

  /** @returns whether anything was heard before it ended */
  private async readOnce(signal: AbortSignal): Promise<boolean> {
    const headers = { accept: 'text/event-stream', ...(this.lastId === '' ? {} : { 'last-event-id': this.lastId }) };
    const response = await fetch('/v1/live', { headers, signal, credentials: 'same-origin', cache: 'no-store' });
    if (!response.ok || response.body === null) return false;
    this.tell({ status: 'live', heardAt: Date.now() });
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      for (const { id, data } of parser.push(piece.value)) {
        this.lastId = id;
        this.take(JSON.parse(data) as LogEvent);
      }
      this.tell({ status: 'live', heardAt: Date.now() });
    }
    return true;
  }

  private take(event: LogEvent): void {
    for (const key of touches(event)) this.stale.set(key.join(' '), key);
    const trouble = isTrouble(event) ? [event, ...this.next.trouble].slice(0, FEED) : this.next.trouble;
    this.next = { ...this.next, trouble, events: this.next.events + 1 };
  }

  private tell(change: Partial<LiveState>): void {
    this.next = { ...this.next, ...change };
    this.flushing ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  private flush(): void {
    this.flushing = undefined;
    this.state = this.next;
    const keys = [...this.stale.values()];
    this.stale.clear();
    for (const key of keys) this.refresh(key);
    if (keys.length > 0) setTimeout(() => keys.forEach((key) => this.refresh(key)), AGAIN_MS);
    for (const listener of this.listeners) listener();
  }

  private refresh(queryKey: readonly string[]): void {
    if (this.over?.signal.aborted === true) return;
    void this.queries.invalidateQueries(
      {
        queryKey,
        predicate: ({ queryKey: [, , asOf], state }) => {
          const pages = (state.data as { pages?: unknown[] } | undefined)?.pages;
          return (asOf === undefined || asOf === 'now' || queryKey[0] !== 'progress') && (pages?.length ?? 0) <= PAGES;
        },
      },
      { cancelRefetch: false },
    );
  }
}

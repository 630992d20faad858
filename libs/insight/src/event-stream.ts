import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface StreamLimits {
  /** Sent when nothing happens, so that proxies keep the connection and a dead one shows. */
  heartbeatMs: number;
  /** A reader that takes nothing for so long is dropped; it resumes by its last id. */
  stalledMs: number;
  /** A stream's whole life: who comes back is asked for a valid session again. */
  lifeMs: number;
}

export const STREAM_LIMITS: StreamLimits = { heartbeatMs: 15_000, stalledMs: 10_000, lifeMs: 600_000 };

/** One client's server-sent events. What waits in it is bounded by the connection's own buffer. */
export class EventStream {
  private readonly over = new AbortController();
  private readonly heartbeat: NodeJS.Timeout;
  private readonly life: NodeJS.Timeout;

  constructor(
    private readonly raw: ServerResponse,
    private readonly limits: StreamLimits = STREAM_LIMITS,
  ) {
    raw.once('close', () => this.end());
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close', // nothing follows, and a server that stops would wait for the idle connection
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
    });
    raw.write('retry: 1000\n\n');
    this.heartbeat = setInterval(() => this.beat(), limits.heartbeatMs);
    this.life = setTimeout(() => this.end(), limits.lifeMs);
    this.heartbeat.unref();
    this.life.unref();
  }

  /** Aborted when the stream is over, whoever ended it. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  /** @returns false when the client is gone, or takes nothing */
  async send(id: string, event: string, data: string): Promise<boolean> {
    if (this.signal.aborted) return false;
    if (this.raw.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`)) return true;
    const settled = new AbortController();
    const drained = once(this.raw, 'drain', { signal: this.signal }).then(() => true);
    const stalled = sleep(this.limits.stalledMs, false, { signal: settled.signal });
    const isDrained = await Promise.race([drained, stalled]).catch(() => false); // the client is gone
    settled.abort();
    return isDrained;
  }

  /** Ends it for a client that still reads; what one that does not read has not taken is thrown away. */
  end(): void {
    if (this.signal.aborted) return;
    clearInterval(this.heartbeat);
    clearTimeout(this.life);
    this.over.abort();
    if (this.raw.writableNeedDrain) this.raw.destroy();
    else this.raw.end();
  }

  private beat(): void {
    if (!this.raw.writableNeedDrain) this.raw.write(': still here\n\n');
  }
}

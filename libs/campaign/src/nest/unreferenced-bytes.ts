import { Inject, Injectable } from '@nestjs/common';
import type { Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, type Log, pause } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { BackgroundLoop } from './background-loop.js';
import { sweepContents } from './content-sweep.js';
import { FileStore } from './file-store.js';

const LOOK_MS = 3_600_000;
/** How often the clock is asked whether an hour has passed. */
const TICK_MS = 1_000;

/**
 * Once an hour, for all tenants together: bytes are stored once, whoever published them. A loop of its own: it looks at each
 * file, which on a large disk takes longer than campaigns may wait.
 */
@Injectable()
export class UnreferencedBytes extends BackgroundLoop {
  private looked = -Infinity;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.tick().catch((err: unknown) => this.log.warn('contents.not-swept', { retryInMs: LOOK_MS, err }));
      await pause(TICK_MS, signal);
    }
  }

  private async tick(): Promise<void> {
    const now = this.clock.now();
    if (Math.abs(now - this.looked) < LOOK_MS) return;
    this.looked = now;
    const referenced = () => publishedDigests(this.databases.tail);
    const { putAside, putBack, removed } = await sweepContents({
      root: this.files.root,
      now: Date.now(),
      referenced,
    });
    if (putAside.length > 0) this.log.warn('contents.unreferenced', { sha256: putAside });
    if (putBack.length > 0) this.log.warn('contents.referenced-after-all', { sha256: putBack });
    if (removed.length > 0) this.log.info('contents.removed', { files: removed });
  }
}

/**
 * Of all tenants' contents, withdrawn ones too: a backup and the audit of the log ask for their bytes.
 * @param tx  role `muster_tail`
 */
export async function publishedDigests(tx: Tx): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ sha256: string }>(
    `select distinct data->>'sha256' as sha256 from log.record
     where topic = 'muster.content' and type like 'muster.content.content-published.%'`,
  );
  return new Set(rows.map(({ sha256 }) => sha256));
}

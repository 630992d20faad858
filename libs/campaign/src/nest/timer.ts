import { Inject, Injectable } from '@nestjs/common';
import type { PostgresLog } from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import { Tenants } from '#identity/nest/identity.module.js';
import { type Log, pause } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { BackgroundLoop } from './background-loop.js';

const TICK_MS = 1_000;
/** Least time between two looks: a process that idles asks the database a few times a second. */
const PAUSE_MS = 200;

/** Something that is looked at for each tenant. */
interface TenantDuty {
  tick(tenant: string): Promise<void>;
}

/** In an order that makes a start visible in the same round. */
export const TENANT_DUTIES = Symbol('TENANT_DUTIES');

/** What is to be done for one tenant. What fails holds back nothing. */
@Injectable()
export class PerTenant {
  constructor(
    @Inject(TENANT_DUTIES) private readonly duties: readonly TenantDuty[],
    @Inject(LOG) private readonly log: Log,
  ) {}

  async tick(tenant: string): Promise<void> {
    for (const duty of this.duties)
      try {
        await duty.tick(tenant);
      } catch (err) {
        this.log.warn('timer.retry', { tenant, duty: duty.constructor.name, err });
      }
  }
}

/**
 * Starts and ends campaigns by the clock, and keeps every catalogue as the log says, soon after the log has changed and at
 * least once a second. Several instances may run: commands and publications that are done already change nothing.
 */
@Injectable()
export class Timer extends BackgroundLoop {
  constructor(
    @Inject(TailLog) private readonly log: PostgresLog,
    @Inject(Tenants) private readonly tenants: Tenants,
    @Inject(PerTenant) private readonly duties: PerTenant,
    @Inject(LOG) private readonly lines: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for (const { id } of await this.tenants.list()) await this.duties.tick(id);
      } catch (err) {
        this.lines.warn('timer.retry', { retryInMs: TICK_MS, err });
      }
      await pause(PAUSE_MS, signal);
      await this.log.waitForAppend(TICK_MS, signal);
    }
  }
}

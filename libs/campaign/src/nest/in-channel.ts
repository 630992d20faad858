import { Inject, Injectable } from '@nestjs/common';
import type { Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, guarded } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';

/** One channel of one tenant, inside a transaction of that tenant. */
export interface InChannel {
  tx: Tx;
  tenant: string;
  channel: string;
  /** Milliseconds. */
  now: number;
}

/** Transactions about a channel's repository. */
@Injectable()
export class ChannelTransactions {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whoever changes the repository goes alone, among all processes: no version is signed twice. */
  change<T>(tenant: string, channel: string, work: (at: InChannel) => Promise<T>): Promise<T> {
    return this.databases.actor.inTenant(tenant, async (tx) => {
      if (guarded('lease'))
        await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`muster.tuf ${tenant}/${channel}`]);
      return work({ tx, tenant, channel, now: this.clock.now() });
    });
  }

  read<T>(tenant: string, channel: string, work: (at: InChannel) => Promise<T>): Promise<T> {
    return this.databases.actor.inTenant(tenant, (tx) => work({ tx, tenant, channel, now: this.clock.now() }));
  }
}

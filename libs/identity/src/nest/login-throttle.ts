import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { verifyPassword } from '../credentials.js';
import { IdentityError } from '../errors.js';
import {
  ACCOUNT_THROTTLE,
  ADDRESS_THROTTLE,
  ATTEMPT_MEMORY_MS,
  type Attempts,
  countAttempt,
  networkOf,
  type ThrottleRule,
  waitBeforeLogin,
} from '../login.js';

/** Where attempts are counted that name no tenant of ours. */
export const NO_TENANT = '-';
/** Passwords compared at one time; scrypt takes 16 MiB and a core each. */
const AT_ONCE = 4;

export interface Attempt {
  /** A tenant's id, or `NO_TENANT`. */
  scope: string;
  email: string;
  /** Of the caller's connection; undefined for who is logged in already. */
  address?: string;
}

/** Bounds how often and how many passwords are tried, by account and by address, over all instances. */
@Injectable()
export class LoginThrottle {
  private comparing = 0;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Counts the attempt, before anything is compared. @throws IdentityError `auth.throttled` */
  async admit({ scope, email, address }: Attempt): Promise<void> {
    const sources: [string, ThrottleRule][] = address === undefined ? [] : [[addressSource(address), ADDRESS_THROTTLE]];
    if (scope !== NO_TENANT) sources.push([accountSource(email), ACCOUNT_THROTTLE]);
    const waitMs = await this.databases.actor.inTenant(scope, async (tx) => {
      await this.dropOld(tx, scope);
      for (const [source, rule] of sources) {
        const wait = await this.count(tx, scope, source, rule);
        if (wait > 0) return wait;
      }
      return 0;
    });
    if (waitMs === 0) return;
    const retryAfterSeconds = Math.ceil(waitMs / 1000);
    throw new IdentityError('auth.throttled', { retryAfterSeconds }, 'too many attempts failed');
  }

  /** As `verifyPassword`, of which only a few run at one time. @throws IdentityError `auth.throttled` */
  async compare(password: string, stored: string | undefined): Promise<boolean> {
    if (this.comparing >= AT_ONCE)
      throw new IdentityError('auth.throttled', { retryAfterSeconds: 1 }, 'too many logins at once');
    this.comparing += 1;
    try {
      return await verifyPassword(password, stored);
    } finally {
      this.comparing -= 1;
    }
  }

  /** An attempt that succeeded was none: the account begins anew, the address gets its one back. */
  async succeeded(tx: Tx, { scope, email, address }: Attempt): Promise<void> {
    // The address first, as `admit` locks them.
    if (address !== undefined)
      await tx.query('update ops.login_attempts set count = greatest(count - 1, 0) where tenant = $1 and source = $2', [
        scope,
        addressSource(address),
      ]);
    await tx.query('delete from ops.login_attempts where tenant = $1 and source = $2', [scope, accountSource(email)]);
  }

  /** @returns milliseconds to wait; 0 = counted */
  private async count(tx: Tx, tenant: string, source: string, rule: ThrottleRule): Promise<number> {
    const now = this.clock.now();
    await tx.query(
      `insert into ops.login_attempts (tenant, source, count, last_at) values ($1, $2, 0, $3)
       on conflict (tenant, source) do nothing`,
      [tenant, source, new Date(now)],
    );
    const [row] = await tx.query<{ count: number; last_at: Date }>(
      'select count, last_at from ops.login_attempts where tenant = $1 and source = $2 for update',
      [tenant, source],
    );
    const attempts: Attempts = { count: row?.count ?? 0, lastAt: row?.last_at.getTime() ?? now };
    const waitMs = waitBeforeLogin(attempts, rule, now);
    if (waitMs > 0) return waitMs;
    const { count, lastAt } = countAttempt(attempts, now);
    await tx.query('update ops.login_attempts set count = $3, last_at = $4 where tenant = $1 and source = $2', [
      tenant,
      source,
      count,
      new Date(lastAt),
    ]);
    return 0;
  }

  /** A few rows each time keep the table small, whatever addresses come by; a row that is in use is left. */
  private async dropOld(tx: Tx, tenant: string): Promise<void> {
    await tx.query(
      `delete from ops.login_attempts where (tenant, source) in (
         select tenant, source from ops.login_attempts where tenant = $1 and last_at < $2
         limit 10 for update skip locked)`,
      [tenant, new Date(this.clock.now() - ATTEMPT_MEMORY_MS)],
    );
  }
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex');
const accountSource = (email: string): string => `account:${hashed(email)}`;
const addressSource = (address: string): string => `address:${hashed(networkOf(address))}`;

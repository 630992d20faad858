import { Inject, Injectable } from '@nestjs/common';
import type { Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { parseCredential } from '../credentials.js';
import { isSessionLive, SESSION_TOUCH_MS } from '../login.js';
import { isRole, type Principal } from '../roles.js';

type Credential = NonNullable<ReturnType<typeof parseCredential>>;

interface PersonRow {
  person_id: string;
  roles: string[];
  platform: boolean;
  domain: string | null;
  disabled_at: Date | null;
}

/** Finds who a session or token belongs to. One indexed look-up a request, no cache: what is revoked is gone. */
@Injectable()
export class Credentials {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async principal({ kind, tenant, hash }: Credential): Promise<Principal | undefined> {
    if (kind !== 'session' && kind !== 'token') return undefined;
    return this.databases.actor.inTenant(tenant, (tx) =>
      kind === 'session' ? this.bySession(tx, tenant, hash) : this.byToken(tx, tenant, hash),
    );
  }

  private async bySession(tx: Tx, tenant: string, hash: string): Promise<Principal | undefined> {
    const [row] = await tx.query<PersonRow & { opened_at: Date; seen_at: Date }>(
      `select s.opened_at, s.seen_at, p.person_id, p.roles, p.platform, p.domain, p.disabled_at
       from ops.session s join ops.person p using (tenant, person_id)
       where s.tenant = $1 and s.session_hash = $2`,
      [tenant, hash],
    );
    const now = this.clock.now();
    if (row === undefined || row.disabled_at !== null) return undefined;
    const seenAt = row.seen_at.getTime();
    if (!isSessionLive({ openedAt: row.opened_at.getTime(), seenAt }, now)) return undefined;
    if (now - seenAt >= SESSION_TOUCH_MS)
      await tx.query('update ops.session set seen_at = $3 where tenant = $1 and session_hash = $2', [
        tenant,
        hash,
        new Date(now),
      ]);
    return principal('person', row.person_id, tenant, row);
  }

  /** A token can do what it was given, as far as its owner still may. */
  private async byToken(tx: Tx, tenant: string, hash: string): Promise<Principal | undefined> {
    const [row] = await tx.query<PersonRow & { token_id: string; token_roles: string[] }>(
      `select t.token_id, t.roles as token_roles, p.person_id, p.roles, p.platform, p.domain, p.disabled_at
       from ops.api_token t join ops.person p on p.tenant = t.tenant and p.person_id = t.owner_id
       where t.tenant = $1 and t.token_hash = $2 and t.revoked_at is null and t.expires_at > $3`,
      [tenant, hash, new Date(this.clock.now())],
    );
    if (row === undefined || row.disabled_at !== null) return undefined;
    const roles = row.token_roles.filter((role) => row.roles.includes(role));
    return principal('token', row.token_id, tenant, { ...row, roles, platform: false });
  }
}

const principal = (kind: Principal['kind'], id: string, tenant: string, row: PersonRow): Principal => ({
  tenant,
  kind,
  id,
  roles: row.roles.filter(isRole),
  ...(row.platform ? { platform: true } : {}),
  ...(row.domain === null ? {} : { domain: row.domain }),
});

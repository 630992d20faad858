import { createHash } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, impossible, instant, type Log, newId } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { hashCredential, newCredential, parseCredential, verifyPassword } from '../credentials.js';
import { IdentityError } from '../errors.js';
import {
  ACCOUNT_THROTTLE,
  ADDRESS_THROTTLE,
  type Attempts,
  countAttempt,
  SESSION_ABSOLUTE_MS,
  SESSION_IDLE_MS,
  type ThrottleRule,
  waitBeforeLogin,
} from '../login.js';
import { isTenantId } from '../tenant.js';
import { audit } from './audit.js';
import { PERSON_COLUMNS, type PersonRow, type PersonView, viewOfPerson } from './person.rows.js';

export interface Login {
  tenant: string;
  email: string;
  password: string;
  /** Of the caller's connection. */
  address: string;
  /** A session that the caller already had: it ends with the login. */
  before?: string;
}

export type SessionCommand = { type: 'OpenSession'; data: Login } | { type: 'CloseSession'; data: { token: string } };

export interface OpenedSession {
  /** Shown once. */
  token: string;
  /** At the latest; it ends sooner when it is not used for `idleSeconds`. */
  expiresAt: string;
  idleSeconds: number;
  person: PersonView & { tenant: string };
}

export class RunSession extends Command<OpenedSession | undefined> {
  constructor(
    readonly command: SessionCommand,
    readonly trace: Omit<EventContext, 'tenant' | 'actor'> = { commandId: newId() },
  ) {
    super();
  }
}

/** Where attempts are counted that name no tenant of ours. */
const NO_TENANT = '-';
/** Logins whose passwords are compared at one time; scrypt takes 16 MiB and a core each. */
const AT_ONCE = 4;

@CommandHandler(RunSession)
export class RunSessionHandler implements ICommandHandler<RunSession> {
  private comparing = 0;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly events: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {}

  async execute({ command, trace }: RunSession): Promise<OpenedSession | undefined> {
    switch (command.type) {
      case 'OpenSession':
        return this.open(command.data, trace);
      case 'CloseSession':
        await this.close(command.data.token, trace);
        return undefined;
      default:
        return impossible(command);
    }
  }

  /** @throws IdentityError `auth.invalid` whatever is wrong, `auth.throttled` */
  private async open(login: Login, trace: RunSession['trace']): Promise<OpenedSession> {
    const email = login.email.toLowerCase();
    const { scope, person } = await this.admit(login, email);
    const isRight = await this.compare(login.password, person?.password_hash);
    if (!isRight || person === undefined) {
      this.log.info('session.refused', { tenant: scope });
      throw new IdentityError('auth.invalid', {}, 'tenant, address or password is wrong');
    }
    const { text: token, hash } = newCredential('session', scope);
    const now = this.clock.now();
    await this.databases.actor.inTenant(scope, async (tx) => {
      await tx.query('delete from ops.login_attempts where tenant = $1 and source = $2', [scope, account(email)]);
      await tx.query('update ops.login_attempts set count = greatest(count - 1, 0) where tenant = $1 and source = $2', [
        scope,
        address(login.address),
      ]);
      if (login.before !== undefined) await deleteSession(tx, scope, hashCredential(login.before));
      await tx.query('delete from ops.session where tenant = $1 and (opened_at < $2 or seen_at < $3)', [
        scope,
        new Date(now - SESSION_ABSOLUTE_MS),
        new Date(now - SESSION_IDLE_MS),
      ]);
      await tx.query(
        'insert into ops.session (tenant, session_hash, person_id, opened_at, seen_at) values ($1, $2, $3, $4, $4)',
        [scope, hash, person.person_id, new Date(now)],
      );
      await this.record(tx, 'session.open', person, trace);
    });
    const expiresAt = instant(now + SESSION_ABSOLUTE_MS);
    return {
      token,
      expiresAt,
      idleSeconds: SESSION_IDLE_MS / 1000,
      person: { tenant: scope, ...viewOfPerson(person) },
    };
  }

  /** Counts the attempt against account and address before anything is compared. */
  private async admit(login: Login, email: string): Promise<{ scope: string; person: PersonRow | undefined }> {
    const { actor } = this.databases;
    const known = isTenantId(login.tenant)
      ? await actor.query('select 1 from ops.tenant where tenant = $1', [login.tenant])
      : [];
    const scope = known.length === 0 ? NO_TENANT : login.tenant;
    const sources: [string, ThrottleRule][] = [[address(login.address), ADDRESS_THROTTLE]];
    if (scope !== NO_TENANT) sources.push([account(email), ACCOUNT_THROTTLE]);
    const waitMs = await actor.inTenant(scope, (tx) => this.count(tx, scope, sources));
    if (waitMs > 0)
      throw new IdentityError(
        'auth.throttled',
        { retryAfterSeconds: Math.ceil(waitMs / 1000) },
        'too many logins failed',
      );
    const [person] = await actor.inTenant(scope, (tx) =>
      tx.query<PersonRow>(
        `select ${PERSON_COLUMNS} from ops.person where tenant = $1 and email = $2 and disabled_at is null`,
        [scope, email],
      ),
    );
    return { scope, person };
  }

  /** @returns milliseconds to wait; 0 = counted and admitted */
  private async count(tx: Tx, tenant: string, sources: readonly [string, ThrottleRule][]): Promise<number> {
    const now = this.clock.now();
    for (const [source, rule] of sources) {
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
    }
    return 0;
  }

  private async compare(password: string, stored: string | undefined): Promise<boolean> {
    if (this.comparing >= AT_ONCE)
      throw new IdentityError('auth.throttled', { retryAfterSeconds: 1 }, 'too many logins at once');
    this.comparing += 1;
    try {
      return await verifyPassword(password, stored);
    } finally {
      this.comparing -= 1;
    }
  }

  private async close(token: string, trace: RunSession['trace']): Promise<void> {
    const credential = parseCredential(token);
    if (credential?.kind !== 'session') throw new IdentityError('auth.invalid', {}, 'not a session');
    const { tenant, hash } = credential;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const closed = await deleteSession(tx, tenant, hash);
      if (closed !== undefined) await this.record(tx, 'session.close', { tenant, person_id: closed }, trace);
    });
  }

  private record(
    tx: Tx,
    operation: string,
    { tenant, person_id }: Pick<PersonRow, 'tenant' | 'person_id'>,
    trace: RunSession['trace'],
  ): Promise<void> {
    const context: EventContext = { tenant, actor: `person:${person_id}`, ...trace };
    return audit(this.events, tx, context, {
      operation,
      object: { kind: 'session', id: person_id },
      summary: operation,
    });
  }
}

async function deleteSession(tx: Tx, tenant: string, hash: string): Promise<string | undefined> {
  const [row] = await tx.query<{ person_id: string }>(
    'delete from ops.session where tenant = $1 and session_hash = $2 returning person_id',
    [tenant, hash],
  );
  return row?.person_id;
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex');
const account = (email: string): string => `account:${hashed(email)}`;
const address = (ip: string): string => `address:${hashed(ip)}`;

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, instant, type Log } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { hashCredential, newCredential, parseCredential } from '../credentials.js';
import { IdentityError } from '../errors.js';
import { SESSION_ABSOLUTE_MS, SESSION_IDLE_MS } from '../login.js';
import { isTenantId } from '../tenant.js';
import { audit } from './audit.js';
import { LoginThrottle, NO_TENANT } from './login-throttle.js';
import { PERSON_COLUMNS, type PersonRow, viewOfPerson } from './person.rows.js';
import type { OpenedSession } from './views.dto.js';

export interface Login {
  tenant: string;
  email: string;
  password: string;
  /** Of the caller's connection. */
  address: string;
  /** A session that the caller already had: it ends with the login. */
  before?: string;
}

type Trace = Omit<EventContext, 'tenant' | 'actor'>;

export class OpenSession extends Command<OpenedSession & { token: string }> {
  constructor(
    readonly login: Login,
    readonly trace: Trace,
  ) {
    super();
  }
}

export class CloseSession extends Command<void> {
  constructor(
    readonly token: string,
    readonly trace: Trace,
  ) {
    super();
  }
}

@CommandHandler(OpenSession)
export class OpenSessionHandler implements ICommandHandler<OpenSession> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly events: PostgresLog,
    @Inject(LoginThrottle) private readonly throttle: LoginThrottle,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** @throws IdentityError `auth.invalid` whatever is wrong, `auth.throttled` */
  async execute({ login, trace }: OpenSession): Promise<OpenedSession & { token: string }> {
    const scope = (await this.isKnown(login.tenant)) ? login.tenant : NO_TENANT;
    const attempt = { scope, email: login.email.toLowerCase(), address: login.address };
    await this.throttle.admit(attempt);
    const person = await this.find(scope, attempt.email);
    const isRight = await this.throttle.compare(login.password, person?.password_hash);
    if (!isRight || person === undefined) throw this.refused(scope);
    const { text: token, hash } = newCredential('session', scope);
    const now = this.clock.now();
    await this.databases.actor.inTenant(scope, async (tx) => {
      if (!(await isStill(tx, person))) throw this.refused(scope);
      await this.throttle.succeeded(tx, attempt);
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
      await record(this.events, tx, { operation: 'session.open', person, trace });
    });
    const expiresAt = instant(now + SESSION_ABSOLUTE_MS);
    return {
      token,
      expiresAt,
      idleSeconds: SESSION_IDLE_MS / 1000,
      person: { tenant: scope, ...viewOfPerson(person) },
    };
  }

  private async find(scope: string, email: string): Promise<PersonRow | undefined> {
    const [person] = await this.databases.actor.inTenant(scope, (tx) =>
      tx.query<PersonRow>(
        `select ${PERSON_COLUMNS} from ops.person where tenant = $1 and email = $2 and disabled_at is null`,
        [scope, email],
      ),
    );
    return person;
  }

  private async isKnown(tenant: string): Promise<boolean> {
    if (!isTenantId(tenant)) return false;
    const found = await this.databases.actor.query('select 1 from ops.tenant where tenant = $1', [tenant]);
    return found.length > 0;
  }

  private refused(scope: string): IdentityError {
    this.log.info('session.refused', { tenant: scope });
    return new IdentityError('auth.invalid', {}, 'tenant, address or password is wrong');
  }
}

@CommandHandler(CloseSession)
export class CloseSessionHandler implements ICommandHandler<CloseSession> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly events: PostgresLog,
  ) {}

  async execute({ token, trace }: CloseSession): Promise<void> {
    const credential = parseCredential(token);
    if (credential?.kind !== 'session') throw new IdentityError('auth.invalid', {}, 'not a session');
    const { tenant, hash } = credential;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const closed = await deleteSession(tx, tenant, hash);
      if (closed === undefined) return;
      await record(this.events, tx, { operation: 'session.close', person: { tenant, person_id: closed }, trace });
    });
  }
}

function record(
  log: PostgresLog,
  tx: Tx,
  { operation, person, trace }: { operation: string; person: Pick<PersonRow, 'tenant' | 'person_id'>; trace: Trace },
): Promise<void> {
  const context: EventContext = { tenant: person.tenant, actor: `person:${person.person_id}`, ...trace };
  const object = { kind: 'session', id: person.person_id };
  return audit(log, tx, context, { operation, object, summary: operation });
}

/** False when the password or the access changed while the old one was compared: that change ended all sessions. */
async function isStill(tx: Tx, { tenant, person_id, password_hash }: PersonRow): Promise<boolean> {
  const found = await tx.query(
    `select 1 from ops.person
     where tenant = $1 and person_id = $2 and password_hash = $3 and disabled_at is null for share`,
    [tenant, person_id, password_hash],
  );
  return found.length > 0;
}

async function deleteSession(tx: Tx, tenant: string, hash: string): Promise<string | undefined> {
  const [row] = await tx.query<{ person_id: string }>(
    'delete from ops.session where tenant = $1 and session_hash = $2 returning person_id',
    [tenant, hash],
  );
  return row?.person_id;
}

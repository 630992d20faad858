import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, impossible, instant, type Log, newId } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { hashCredential, newCredential, parseCredential } from '../credentials.js';
import { IdentityError } from '../errors.js';
import { SESSION_ABSOLUTE_MS, SESSION_IDLE_MS } from '../login.js';
import { isTenantId } from '../tenant.js';
import { audit } from './audit.js';
import { LoginThrottle, NO_TENANT } from './login-throttle.js';
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

@CommandHandler(RunSession)
export class RunSessionHandler implements ICommandHandler<RunSession> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly events: PostgresLog,
    @Inject(LoginThrottle) private readonly throttle: LoginThrottle,
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
    const scope = (await this.isKnown(login.tenant)) ? login.tenant : NO_TENANT;
    const attempt = { scope, email: login.email.toLowerCase(), address: login.address };
    await this.throttle.admit(attempt);
    const person = await this.find(scope, attempt.email);
    const isRight = await this.throttle.compare(login.password, person?.password_hash);
    if (!isRight || person === undefined) {
      this.log.info('session.refused', { tenant: scope });
      throw new IdentityError('auth.invalid', {}, 'tenant, address or password is wrong');
    }
    const { text: token, hash } = newCredential('session', scope);
    const now = this.clock.now();
    await this.databases.actor.inTenant(scope, async (tx) => {
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

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, idFrom, impossible } from '#runtime/index.js';
import { CLOCK, requireVersion } from '#runtime/nest/runtime.module.js';
import { checkPassword, hashPassword } from '../credentials.js';
import { IdentityError, refusedField } from '../errors.js';
import type { Principal, Role } from '../roles.js';
import { audit } from './audit.js';
import { LoginThrottle } from './login-throttle.js';
import { PERSON_COLUMNS, type PersonRow, viewOfPerson } from './person.rows.js';
import type { PersonView } from './views.dto.js';

export type PersonCommand =
  | { type: 'AddPerson'; data: NewPerson }
  | { type: 'ChangePerson'; data: { personId: string; version: number | undefined } & PersonChanges }
  | { type: 'ChangeOwnPassword'; data: { current: string; password: string } };

export interface NewPerson {
  email: string;
  name: string;
  password: string;
  roles: readonly Role[];
  domain?: string;
}

export interface PersonChanges {
  name?: string;
  roles?: readonly Role[];
  disabled?: boolean;
  password?: string;
  /** Whether the person runs the installation. */
  platform?: boolean;
}

export class RunPerson extends Command<PersonView> {
  constructor(
    readonly command: PersonCommand,
    readonly caller: Principal,
    readonly context: EventContext,
  ) {
    super();
  }
}

/** Changes people. Changes within one tenant wait for each other, so that two cannot take away the last administrator. */
@CommandHandler(RunPerson)
export class RunPersonHandler implements ICommandHandler<RunPerson> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LoginThrottle) private readonly throttle: LoginThrottle,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ command, caller, context }: RunPerson): Promise<PersonView> {
    if (command.type === 'ChangeOwnPassword') await this.checkCurrent(caller, command.data.current);
    const passwordHash =
      'password' in command.data && command.data.password !== undefined
        ? await hashPassword(checkPassword(command.data.password))
        : undefined;
    const row = await this.databases.actor.inTenant(caller.tenant, async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('identity.people'), hashtext($1))`, [caller.tenant]);
      switch (command.type) {
        case 'AddPerson':
          return this.add(tx, command.data, passwordHash ?? '', context);
        case 'ChangePerson':
          return this.change(tx, caller, { ...command.data, passwordHash }, context);
        case 'ChangeOwnPassword':
          return this.changeOwnPassword(tx, caller, passwordHash, context);
        default:
          return impossible(command);
      }
    });
    return viewOfPerson(row);
  }

  private async add(tx: Tx, data: NewPerson, passwordHash: string, context: EventContext): Promise<PersonRow> {
    const personId = idFrom(context.commandId, 'person');
    const done = await personOrNone(tx, context.tenant, personId); // given again: the answer was lost
    if (done !== undefined) return done;
    const row = await insertPerson(
      tx,
      { ...data, personId, tenant: context.tenant, passwordHash, platform: false },
      this.clock.now(),
    );
    const summary = `roles ${data.roles.join(', ') || 'none'}`;
    await audit(this.log, tx, context, {
      operation: 'user.add',
      object: { kind: 'person', id: row.person_id },
      summary,
    });
    return row;
  }

  private async change(
    tx: Tx,
    caller: Principal,
    wanted: { personId: string; version: number | undefined; passwordHash: string | undefined } & PersonChanges,
    context: EventContext,
  ): Promise<PersonRow> {
    const { personId, name, roles, disabled, platform, passwordHash } = wanted;
    const before = await findPerson(tx, caller.tenant, personId);
    checkChange(caller, before, wanted);
    requireVersion(wanted.version, before.version);
    const after = await updatePerson(tx, {
      ...before,
      name: name ?? before.name,
      roles: [...(roles ?? before.roles)],
      platform: platform ?? before.platform,
      disabled_at: disabled === undefined ? before.disabled_at : this.disabledAt(disabled),
      password_hash: passwordHash ?? before.password_hash,
    });
    await requireAdministrator(tx, caller);
    // Who may do less from now on, or was given a password, logs in anew.
    if (roles !== undefined || platform !== undefined || disabled === true || passwordHash !== undefined)
      await closeSessions(tx, after);
    const changed = (['name', 'roles', 'platform', 'disabled', 'password'] as const).filter(
      (field) => wanted[field] !== undefined,
    );
    const summary = changed
      .map((field) => (field === 'roles' ? `roles ${after.roles.join(', ') || 'none'}` : field))
      .join('; ');
    await audit(this.log, tx, context, { operation: 'user.change', object: { kind: 'person', id: personId }, summary });
    return after;
  }

  private disabledAt(disabled: boolean): Date | null {
    return disabled ? new Date(this.clock.now()) : null;
  }

  /** Throttled as logins are: who found an open session may not guess the password by it. */
  private async checkCurrent(caller: Principal, current: string): Promise<void> {
    const { actor } = this.databases;
    const person = await actor.inTenant(caller.tenant, (tx) => findPerson(tx, caller.tenant, ownId(caller)));
    const attempt = { scope: caller.tenant, email: person.email };
    await this.throttle.admit(attempt);
    if (!(await this.throttle.compare(current, person.password_hash)))
      throw refusedField('auth.forbidden', '/current', 'not the current password');
    await actor.inTenant(caller.tenant, (tx) => this.throttle.succeeded(tx, attempt));
  }

  private async changeOwnPassword(
    tx: Tx,
    caller: Principal,
    passwordHash: string | undefined,
    context: EventContext,
  ): Promise<PersonRow> {
    const before = await findPerson(tx, caller.tenant, ownId(caller));
    const after = await updatePerson(tx, { ...before, password_hash: passwordHash ?? before.password_hash });
    await closeSessions(tx, after);
    const object = { kind: 'person', id: before.person_id };
    await audit(this.log, tx, context, { operation: 'user.password', object, summary: 'own password changed' });
    return after;
  }
}

/** A token is nobody's account. */
const ownId = ({ kind, id }: Principal): string | null => (kind === 'person' ? id : null);

/** Who runs the installation is changed by their like alone, and nobody's roles or access by themselves. */
function checkChange(caller: Principal, person: PersonRow, changes: PersonChanges): void {
  if ((person.platform || changes.platform !== undefined) && caller.platform !== true)
    throw new IdentityError('auth.forbidden', {}, 'who runs the installation is up to those who do');
  if (caller.id !== person.person_id) return;
  if (changes.roles !== undefined) throw refusedField('person.own-roles', '/roles', 'nobody changes their own roles');
  if (changes.platform !== undefined)
    throw refusedField('person.own-roles', '/platform', 'nobody changes their own roles');
  if (changes.disabled !== undefined) throw refusedField('person.own-roles', '/disabled', 'nobody disables themselves');
  if (changes.password !== undefined)
    throw refusedField(
      'auth.forbidden',
      '/password',
      'your own password is changed with the current one: PUT /v1/me/password',
    );
}

/** @throws IdentityError `person.unknown`, also for a person of another tenant, whom the policy hides */
async function findPerson(tx: Tx, tenant: string, personId: string | null): Promise<PersonRow> {
  const row = await personOrNone(tx, tenant, personId);
  if (row === undefined) throw new IdentityError('person.unknown', { personId });
  return row;
}

export async function personOrNone(tx: Tx, tenant: string, personId: string | null): Promise<PersonRow | undefined> {
  const [row] = await tx.query<PersonRow>(
    `select ${PERSON_COLUMNS} from ops.person where tenant = $1 and person_id = $2`,
    [tenant, personId],
  );
  return row;
}

/** @throws IdentityError `person.exists` */
export async function insertPerson(
  tx: Tx,
  person: Omit<NewPerson, 'password'> & { tenant: string; personId: string; passwordHash: string; platform: boolean },
  now: number,
): Promise<PersonRow> {
  const { tenant, personId, email, name, passwordHash, roles, platform, domain = null } = person;
  const [row] = await tx.query<PersonRow>(
    `insert into ops.person (tenant, person_id, email, name, password_hash, roles, platform, domain, created_at, version)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)
     on conflict (tenant, email) do nothing returning ${PERSON_COLUMNS}`,
    [tenant, personId, email.toLowerCase(), name, passwordHash, [...new Set(roles)], platform, domain, new Date(now)],
  );
  if (row === undefined) throw refusedField('person.exists', '/email', 'there is a person with this address already');
  return row;
}

async function updatePerson(tx: Tx, person: PersonRow): Promise<PersonRow> {
  const { tenant, person_id, name, roles, platform, disabled_at, password_hash } = person;
  const [row] = await tx.query<PersonRow>(
    `update ops.person set name = $3, roles = $4, disabled_at = $5, password_hash = $6, platform = $7, version = version + 1
     where tenant = $1 and person_id = $2 returning ${PERSON_COLUMNS}`,
    [tenant, person_id, name, [...new Set(roles)], disabled_at, password_hash, platform],
  );
  return row!;
}

/** Someone is left who can add others, in the tenant and, where it ran the installation, in that. @throws IdentityError `person.last-admin` */
async function requireAdministrator(tx: Tx, { tenant, platform }: Principal): Promise<void> {
  const found = await tx.query(
    `select 1 from ops.person
     where tenant = $1 and 'admin' = any(roles) and disabled_at is null and (platform or not $2) limit 1`,
    [tenant, platform === true],
  );
  if (found.length === 0) throw new IdentityError('person.last-admin', {}, 'at least one administrator is kept');
}

const closeSessions = (tx: Tx, { tenant, person_id }: PersonRow) =>
  tx.query('delete from ops.session where tenant = $1 and person_id = $2', [tenant, person_id]);

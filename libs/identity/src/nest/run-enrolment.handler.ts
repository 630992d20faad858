import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, Keyring, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, idFrom, impossible } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { commandCredential } from '../credentials.js';
import type { EnrolmentLine } from '../enrolment-csv.js';
import { IdentityError } from '../errors.js';
import { audit } from './audit.js';
import { CODE_COLUMNS, type CodeRow, viewOfCode } from './code.rows.js';
import type { IssuedCode } from './views.dto.js';

export type EnrolmentCommand =
  | { type: 'IssueCodes'; data: { lines: readonly EnrolmentLine[]; lifetimeSeconds: number; kind?: CodeRow['kind'] } }
  /** A code by which a known device comes back with a new key. */
  | { type: 'IssueReplacement'; data: { deviceId: string; lifetimeSeconds: number } }
  | { type: 'RevokeCode'; data: { codeId: string } };

export class RunEnrolment extends Command<IssuedCode[]> {
  constructor(
    readonly command: EnrolmentCommand,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RunEnrolment)
export class RunEnrolmentHandler implements ICommandHandler<RunEnrolment> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  execute({ command, context }: RunEnrolment): Promise<IssuedCode[]> {
    return this.databases.actor.inTenant(context.tenant, async (tx) => {
      switch (command.type) {
        case 'IssueCodes':
          return this.issue(tx, context, { ...command.data, replaces: null, operation: 'enrolment.issue' });
        case 'IssueReplacement':
          return this.replace(tx, context, command.data);
        case 'RevokeCode':
          return this.revoke(tx, context, command.data.codeId);
        default:
          return impossible(command);
      }
    });
  }

  /** One batch: all of them or none, one audit event. Given again, it shows what it made the first time. */
  private async issue(
    tx: Tx,
    context: EventContext,
    batch: {
      lines: readonly EnrolmentLine[];
      lifetimeSeconds: number;
      kind?: CodeRow['kind'];
      replaces: string | null;
      operation: string;
    },
  ): Promise<IssuedCode[]> {
    const { tenant } = context;
    const { kind = 'handset' } = batch;
    const now = this.clock.now();
    const batchId = idFrom(context.commandId, 'batch');
    const derive = (name: string, length: number) => this.keyring.derive(name, length);
    const made = batch.lines.map((line, i) => {
      const id = idFrom(context.commandId, 'code', String(i));
      return { ...line, id, ...commandCredential('code', context, derive, i) };
    });
    const done = await findCodes(tx, tenant, batchId, made);
    if (done.length > 0) return done;
    const rows = await tx.query<CodeRow>(
      `insert into ops.enrolment_code
         (tenant, code_id, code_hash, batch_id, label, channel, replaces, created_at, expires_at, kind)
       select $1, m.id, m.hash, $2, m.label, m.channel, $3, $4, $5, $10
       from unnest($6::uuid[], $7::text[], $8::text[], $9::text[]) as m (id, hash, label, channel)
       on conflict do nothing returning ${CODE_COLUMNS}`,
      [
        tenant,
        batchId,
        batch.replaces,
        new Date(now),
        new Date(now + batch.lifetimeSeconds * 1000),
        made.map(({ id }) => id),
        made.map(({ hash }) => hash),
        made.map(({ label }) => label),
        made.map(({ channel }) => channel),
        kind,
      ],
    );
    if (rows.length === 0) return findCodes(tx, tenant, batchId, made); // the same command, at the same time
    const object =
      batch.replaces === null ? { kind: 'enrolment', id: batchId } : { kind: 'device', id: batch.replaces };
    const summary = `${made.length} ${kind === 'gateway' ? 'gateway tokens' : 'codes'}, ${batch.lifetimeSeconds} s`;
    await audit(this.log, tx, context, { operation: batch.operation, object, summary });
    return shown(rows, made);
  }

  /** @throws IdentityError `device.unknown`, also for a device of another tenant, and for a forgotten one */
  private async replace(
    tx: Tx,
    context: EventContext,
    { deviceId, lifetimeSeconds }: { deviceId: string; lifetimeSeconds: number },
  ): Promise<IssuedCode[]> {
    const [device] = await tx.query<{ channel: string; label: string | null }>(
      `select channel, label from ops.device where tenant = $1 and device_id = $2 and status <> 'forgotten'`,
      [context.tenant, deviceId],
    );
    if (device === undefined) throw new IdentityError('device.unknown', { deviceId });
    return this.issue(tx, context, {
      lines: [device],
      lifetimeSeconds,
      replaces: deviceId,
      operation: 'device.replace',
    });
  }

  /** Repeating it is harmless. @throws IdentityError `enrolment.code-unknown` */
  private async revoke(tx: Tx, context: EventContext, codeId: string): Promise<IssuedCode[]> {
    const [row] = await tx.query<CodeRow>(
      `select ${CODE_COLUMNS} from ops.enrolment_code where tenant = $1 and code_id = $2 for update`,
      [context.tenant, codeId],
    );
    if (row === undefined) throw new IdentityError('enrolment.code-unknown', { codeId });
    if (row.used_at !== null)
      throw new IdentityError('enrolment.code-used', { codeId }, 'used: revoke the device instead');
    if (row.revoked_at !== null) return [];
    await tx.query('update ops.enrolment_code set revoked_at = $3 where tenant = $1 and code_id = $2', [
      context.tenant,
      codeId,
      new Date(this.clock.now()),
    ]);
    const object = { kind: 'enrolment', id: codeId };
    await audit(this.log, tx, context, { operation: 'enrolment.revoke', object, summary: 'revoked' });
    return [];
  }
}

interface MadeCode {
  id: string;
  text: string;
}

/** In the order of the lines. */
function shown(rows: readonly CodeRow[], made: readonly MadeCode[]): IssuedCode[] {
  const byId = new Map(rows.map((row) => [row.code_id, row]));
  return made.flatMap(({ id, text }) => {
    const row = byId.get(id);
    return row === undefined ? [] : [{ ...viewOfCode(row), code: text }];
  });
}

async function findCodes(tx: Tx, tenant: string, batchId: string, made: readonly MadeCode[]): Promise<IssuedCode[]> {
  const rows = await tx.query<CodeRow>(
    `select ${CODE_COLUMNS} from ops.enrolment_code where tenant = $1 and batch_id = $2 and code_id = any($3)`,
    [tenant, batchId, made.map(({ id }) => id)],
  );
  return shown(rows, made);
}

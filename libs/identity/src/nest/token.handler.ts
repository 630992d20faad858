import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, Keyring, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, idFrom } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { commandCredential } from '../credentials.js';
import { IdentityError, refusedField } from '../errors.js';
import type { Principal, Role } from '../roles.js';
import { audit } from './audit.js';
import { TOKEN_COLUMNS, type TokenRow, viewOfToken } from './token.rows.js';
import type { IssuedToken, TokenView } from './views.dto.js';

export class IssueToken extends Command<IssuedToken> {
  constructor(
    readonly data: { name: string; roles: readonly Role[]; lifetimeDays: number },
    readonly caller: Principal,
    readonly context: EventContext,
  ) {
    super();
  }
}

export class RevokeToken extends Command<TokenView> {
  constructor(
    readonly tokenId: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(IssueToken)
export class IssueTokenHandler implements ICommandHandler<IssueToken> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Given again, it shows what it made the first time. @throws IdentityError `token.roles` */
  async execute({ data: { name, roles, lifetimeDays }, caller, context }: IssueToken): Promise<IssuedToken> {
    const beyond = roles.filter((role) => !caller.roles.includes(role));
    if (beyond.length > 0)
      throw refusedField('token.roles', '/roles', `a token has no role that its owner has not: ${beyond.join(', ')}`);
    const { text, hash } = commandCredential('token', context, (name, length) => this.keyring.derive(name, length));
    const tokenId = idFrom(context.commandId, 'token');
    const now = this.clock.now();
    return this.databases.actor.inTenant(context.tenant, async (tx) => {
      const [row] = await tx.query<TokenRow>(
        `insert into ops.api_token (tenant, token_id, token_hash, name, roles, owner_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning ${TOKEN_COLUMNS}`,
        [
          context.tenant,
          tokenId,
          hash,
          name,
          [...new Set(roles)],
          caller.id,
          new Date(now),
          new Date(now + lifetimeDays * 86_400_000),
        ],
      );
      if (row === undefined) return { ...viewOfToken(await findToken(tx, context.tenant, tokenId)), token: text };
      const object = { kind: 'token', id: tokenId };
      await audit(this.log, tx, context, { operation: 'token.add', object, summary: `roles ${roles.join(', ')}` });
      return { ...viewOfToken(row), token: text };
    });
  }
}

@CommandHandler(RevokeToken)
export class RevokeTokenHandler implements ICommandHandler<RevokeToken> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Repeating it is harmless. @throws IdentityError `token.unknown` */
  execute({ tokenId, context }: RevokeToken): Promise<TokenView> {
    return this.databases.actor.inTenant(context.tenant, async (tx) => {
      const before = await findToken(tx, context.tenant, tokenId);
      if (before.revoked_at !== null) return viewOfToken(before);
      const revokedAt = new Date(this.clock.now());
      await tx.query('update ops.api_token set revoked_at = $3 where tenant = $1 and token_id = $2', [
        context.tenant,
        tokenId,
        revokedAt,
      ]);
      const object = { kind: 'token', id: tokenId };
      await audit(this.log, tx, context, { operation: 'token.revoke', object, summary: 'revoked' });
      return viewOfToken({ ...before, revoked_at: revokedAt });
    });
  }
}

/** The row, locked. @throws IdentityError `token.unknown` */
async function findToken(tx: Tx, tenant: string, tokenId: string): Promise<TokenRow> {
  const [row] = await tx.query<TokenRow>(
    `select ${TOKEN_COLUMNS} from ops.api_token where tenant = $1 and token_id = $2 for update`,
    [tenant, tokenId],
  );
  if (row === undefined) throw new IdentityError('token.unknown', { tokenId });
  return row;
}

import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, Keyring, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { audit } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { CampaignError } from '../errors.js';
import { takeTokens, type WakeTarget } from '../wake.js';

interface Row {
  url: string;
  per_minute: number;
  credit: number;
  counted_at: Date;
}

const secretName = (tenant: string, channel: string) => ({ tenant, purpose: 'wake', id: channel });

/** The rows of `ops.wake_target`; the keys of their signatures are in the keyring. */
@Injectable()
export class WakeTargets {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws CampaignError `wake.unknown` */
  async get(tenant: string, channel: string): Promise<WakeTarget> {
    const row = await this.databases.actor.inTenant(tenant, (tx) => find(tx, tenant, channel));
    return { url: row.url, perMinute: row.per_minute };
  }

  /** @returns the key of the signatures, new with each change */
  async set(context: EventContext, channel: string, { url, perMinute }: WakeTarget): Promise<string> {
    const { tenant } = context;
    const secret = randomBytes(32).toString('base64url');
    await this.databases.actor.inTenant(tenant, async (tx) => {
      await tx.query(
        `insert into ops.wake_target (tenant, channel, url, per_minute, credit, counted_at)
         values ($1, $2, $3, $4::int, $4::int, $5)
         on conflict (tenant, channel) do update set url = excluded.url, per_minute = excluded.per_minute,
           credit = least(ops.wake_target.credit, excluded.per_minute)`,
        [tenant, channel, url, perMinute, new Date(this.clock.now())],
      );
      await this.keyring.putSecret(tx, secretName(tenant, channel), Buffer.from(secret));
      const summary = `to ${new URL(url).origin}, ${perMinute} a minute at most`;
      await audit(this.log, tx, context, { operation: 'wake.set', object: { kind: 'channel', id: channel }, summary });
    });
    return secret;
  }

  /** Repeating it is harmless. */
  async remove(context: EventContext, channel: string): Promise<void> {
    const { tenant } = context;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const gone = await tx.query('delete from ops.wake_target where tenant = $1 and channel = $2 returning channel', [
        tenant,
        channel,
      ]);
      if (gone.length === 0) return;
      await this.keyring.dropSecret(tx, secretName(tenant, channel));
      const object = { kind: 'channel', id: channel };
      await audit(this.log, tx, context, { operation: 'wake.remove', object, summary: 'nobody is woken any more' });
    });
  }

  /** So many messages of `wanted` as may go now, and where they go. @throws CampaignError `wake.unknown` */
  async take(
    tenant: string,
    channel: string,
    wanted: number,
  ): Promise<{ target: { url: string; secret: string }; taken: number }> {
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const row = await find(tx, tenant, channel, 'for update');
      const bucket = { credit: row.credit, at: row.counted_at.getTime() };
      const { credit, at, taken } = takeTokens(bucket, row.per_minute, wanted, this.clock.now());
      await tx.query('update ops.wake_target set credit = $3, counted_at = $4 where tenant = $1 and channel = $2', [
        tenant,
        channel,
        credit,
        new Date(at),
      ]);
      const secret = await this.keyring.secret(secretName(tenant, channel), tx);
      return { target: { url: row.url, secret: Buffer.from(secret ?? []).toString('utf8') }, taken };
    });
  }
}

async function find(tx: Tx, tenant: string, channel: string, lock: '' | 'for update' = ''): Promise<Row> {
  const [row] = await tx.query<Row>(
    `select url, per_minute, credit, counted_at from ops.wake_target where tenant = $1 and channel = $2 ${lock}`,
    [tenant, channel],
  );
  if (row === undefined)
    throw new CampaignError('wake.unknown', { channel }, 'nobody was said to whom the wakes of this channel go');
  return row;
}

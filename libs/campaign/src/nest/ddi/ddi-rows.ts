import { Inject, Injectable } from '@nestjs/common';
import type { OfferRef } from '#device-protocol/index.js';
import { decrypt, encrypt, Keyring, type RowName, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { type ActionState } from '../../ddi/action.js';
import type { AutoConfirm } from '../../ddi/read-body.js';
import type { ToldAttributes } from '../../ddi/told-attributes.js';

/** What is kept of a hawkBit client. */
export interface KeptDevice {
  told: ToldAttributes;
  /** Confirms for its user, since then; null: its user is asked. */
  autoConfirm: (AutoConfirm & { activatedAt: number }) | null;
  /** Its next poll asks it to tell what it is. */
  asks: boolean;
}

export interface Action extends OfferRef {
  actionId: number;
  state: ActionState;
  changedAt: number;
  isRetrieved: boolean;
  isStarted: boolean;
  isTransferred: boolean;
  refusedCancel: boolean;
  servedBytes: number;
  reports: number;
}

interface ActionRow {
  action_id: number;
  campaign_id: string;
  content_id: string;
  state: ActionState;
  changed_at: Date;
  is_retrieved: boolean;
  is_started: boolean;
  is_transferred: boolean;
  refused_cancel: boolean;
  served_bytes: string;
  reports: number;
}

const COLUMNS = `action_id, campaign_id, content_id, state, changed_at, is_retrieved, is_started, is_transferred, refused_cancel,
  served_bytes, reports`;
/** hawkBit shows no more. */
const MESSAGES = 100;

/** Rows of the hawkBit device API. What a client said is sealed by its own key, and ends with it. */
@Injectable()
export class DdiRows {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async device(device: RowName): Promise<KeptDevice> {
    const [row] = await this.query<{ kept: Buffer | null; asks: boolean }>(
      device,
      'select kept, asks from ops.ddi_device where tenant = $1 and device_id = $2',
      [],
    );
    const kept = await this.open<Omit<KeptDevice, 'asks'>>(device, 'ddi_device', row?.kept);
    return { told: {}, autoConfirm: null, ...kept, asks: row?.asks ?? true };
  }

  async keep(device: RowName, { asks, ...kept }: KeptDevice): Promise<void> {
    await this.databases.actor.inTenant(device.tenant, async (tx) =>
      tx.query(
        `insert into ops.ddi_device (tenant, device_id, kept, asks) values ($1, $2, $3, $4)
         on conflict (tenant, device_id) do update set kept = excluded.kept, asks = excluded.asks`,
        [device.tenant, device.deviceId, await this.seal(tx, device, 'ddi_device', kept), asks],
      ),
    );
  }

  /** Its next poll asks it to tell what it is. */
  async ask(device: RowName): Promise<void> {
    await this.query(device, 'update ops.ddi_device set asks = true where tenant = $1 and device_id = $2', []);
  }

  /** All that it ever had, oldest first; one at most is open. */
  async actions(device: RowName): Promise<Action[]> {
    const sql = `select ${COLUMNS} from ops.ddi_action where tenant = $1 and device_id = $2 order by action_id`;
    return (await this.query<ActionRow>(device, sql, [])).map(actionOf);
  }

  /** One of its own; another device's is not there. */
  async action(device: RowName, actionId: number): Promise<Action | undefined> {
    const sql = `select ${COLUMNS} from ops.ddi_action where tenant = $1 and device_id = $2 and action_id = $3`;
    const [row] = await this.query<ActionRow>(device, sql, [actionId]);
    return row && actionOf(row);
  }

  /** Opens an action, unless another request has opened one: that one is answered then. */
  async begin(device: RowName, { contentId, campaignId }: OfferRef, state: ActionState): Promise<Action> {
    const { tenant, deviceId } = device;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const [counted] = await tx.query<{ id: number }>(
        `insert into ops.ddi_counter as c (tenant, next_id) values ($1, 2)
         on conflict (tenant) do update set next_id = c.next_id + 1 returning next_id - 1 as id`,
        [tenant],
      );
      const now = new Date(this.clock.now());
      await tx.query(
        `insert into ops.ddi_action (tenant, action_id, device_id, campaign_id, content_id, state, opened_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict do nothing`,
        [tenant, counted!.id, deviceId, campaignId, contentId, state, now],
      );
      const [row] = await tx.query<ActionRow>(
        `select ${COLUMNS} from ops.ddi_action where tenant = $1 and device_id = $2
           and state in ('waiting', 'offered', 'canceling', 'installed')`,
        [tenant, deviceId],
      );
      return actionOf(row!);
    });
  }

  /** @returns false when another request was first */
  async turn(device: RowName, { actionId, state, refusedCancel }: Action, to: ActionState): Promise<boolean> {
    const rows = await this.query(
      device,
      `update ops.ddi_action set state = $5, changed_at = $6, refused_cancel = $7
       where tenant = $1 and device_id = $2 and action_id = $3 and state = $4 returning 1`,
      [actionId, state, to, new Date(this.clock.now()), refusedCancel],
    );
    return rows.length > 0;
  }

  /** Sets a mark that is set once. @returns false when it was set before */
  async mark(
    device: RowName,
    { actionId }: Action,
    mark: 'is_retrieved' | 'is_started' | 'is_transferred',
  ): Promise<boolean> {
    const sql = `update ops.ddi_action set ${mark} = true
      where tenant = $1 and device_id = $2 and action_id = $3 and not ${mark} returning 1`;
    return (await this.query(device, sql, [actionId])).length > 0;
  }

  /** Bytes `from` to before `to` were sent; what lies behind a gap does not count. @returns how many now have been, from the first on */
  async served(
    device: RowName,
    { actionId }: Action,
    from: number,
    to: number,
  ): Promise<{ bytes: number; isTransferred: boolean }> {
    const [row] = await this.query<Pick<ActionRow, 'served_bytes' | 'is_transferred'>>(
      device,
      `update ops.ddi_action set served_bytes = case when $4 <= served_bytes then greatest(served_bytes, $5) else served_bytes end
       where tenant = $1 and device_id = $2 and action_id = $3 returning served_bytes, is_transferred`,
      [actionId, from, to],
    );
    return { bytes: Number(row?.served_bytes ?? 0), isTransferred: row?.is_transferred ?? true };
  }

  /** One report more, and what it said. */
  async report(device: RowName, { actionId }: Action, messages: readonly string[]): Promise<void> {
    const before = messages.length === 0 ? [] : await this.messages(device, actionId);
    const all = [...[...messages].reverse(), ...before].slice(0, MESSAGES);
    await this.databases.actor.inTenant(device.tenant, async (tx) =>
      tx.query(
        `update ops.ddi_action set reports = reports + 1, messages = coalesce($4, messages)
         where tenant = $1 and device_id = $2 and action_id = $3`,
        [
          device.tenant,
          device.deviceId,
          actionId,
          messages.length === 0 ? null : await this.seal(tx, device, `ddi_action/${actionId}`, all),
        ],
      ),
    );
  }

  /** Newest first. */
  async messages(device: RowName, actionId: number): Promise<string[]> {
    const sql = 'select messages from ops.ddi_action where tenant = $1 and device_id = $2 and action_id = $3';
    const [row] = await this.query<{ messages: Buffer | null }>(device, sql, [actionId]);
    return (await this.open<string[]>(device, `ddi_action/${actionId}`, row?.messages)) ?? [];
  }

  /** What it said cannot be read any more, and need not lie here. */
  async forget(device: RowName): Promise<void> {
    await this.query(device, 'delete from ops.ddi_device where tenant = $1 and device_id = $2', []);
    await this.query(device, 'update ops.ddi_action set messages = null where tenant = $1 and device_id = $2', []);
  }

  /** `$1` and `$2` are the device. */
  private query<R extends object>(device: RowName, sql: string, values: readonly unknown[]): Promise<R[]> {
    const { tenant, deviceId } = device;
    return this.databases.actor.inTenant(tenant, (tx) => tx.query<R>(sql, [tenant, deviceId, ...values]));
  }

  private async seal(tx: Tx, { tenant, deviceId }: RowName, about: string, value: object): Promise<Buffer> {
    const key = (await this.keyring.sealingKeys(tx, tenant, [deviceId])).get(deviceId)!;
    return encrypt(key, Buffer.from(JSON.stringify(value), 'utf8'), `${about} ${deviceId}`);
  }

  private async open<T>({ tenant, deviceId }: RowName, about: string, sealed: Buffer | null | undefined) {
    if (!sealed) return undefined;
    const key = (await this.keyring.subjectKeys(tenant, [deviceId])).get(deviceId);
    const plain = key && decrypt(key, sealed, `${about} ${deviceId}`);
    return plain === undefined ? undefined : (JSON.parse(plain.toString('utf8')) as T);
  }
}

const actionOf = (row: ActionRow): Action => ({
  actionId: row.action_id,
  campaignId: row.campaign_id,
  contentId: row.content_id,
  state: row.state,
  changedAt: row.changed_at.getTime(),
  isRetrieved: row.is_retrieved,
  isStarted: row.is_started,
  isTransferred: row.is_transferred,
  refusedCancel: row.refused_cancel,
  servedBytes: Number(row.served_bytes),
  reports: row.reports,
});

import { Inject, Injectable } from '@nestjs/common';
import type { OfferRef } from '#device-protocol/index.js';
import { Keyring, type RowName, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { type ActionState } from '../../ddi/action.js';
import type { FactOfServer } from '../fact-writer.js';
import { endLease } from '../leases.js';
import { openOf, openWith, sealWith } from './sealed.js';

export interface Action extends OfferRef {
  actionId: number;
  state: ActionState;
  changedAt: number;
  isRetrieved: boolean;
  isStarted: boolean;
  isTransferred: boolean;
  refusedCancel: boolean;
  reports: number;
  /** Something of it is not on the record yet. */
  owes: boolean;
}

export type Mark = 'is_retrieved' | 'is_started' | 'is_transferred';

/** What becomes of an action, and what that owes to the record. */
export interface Turn {
  state?: ActionState;
  refusedCancel?: boolean;
  /** Set once. */
  mark?: Mark;
  /** What the client said, one report more. */
  details?: readonly string[];
  /** The next poll asks the device what it is. */
  asks?: boolean;
  owes: readonly FactOfServer[];
}

/** Whose it is to put on the record what an action owes; good for a while, and until it is given back. */
export type Claim = Date;

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
  reports: number;
  owes: boolean;
}

type LockedRow = ActionRow & { messages: Buffer | null };

const COLUMNS = `action_id, campaign_id, content_id, state, changed_at, is_retrieved, is_started, is_transferred, refused_cancel,
  reports, owed is not null as owes`;
/** hawkBit shows no more. */
const MESSAGES = 100;
/** So long who has begun to put on the record what an action owes is left to it, ms; a process that died meanwhile must not keep it for itself. */
const CLAIM_MS = 30_000;
/** That are put on the record in one go, where those who should have were cut off. */
const PAID_AT_ONCE = 100;
/** Pieces that one who fetches in disorder is kept account of. */
const PIECES = 1_000;

/** The actions of hawkBit clients. What a client said is sealed by its own key, and ends with it. */
@Injectable()
export class DdiRows {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

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

  /** Opens an action, unless another request has opened one: that one is answered then, where it is still open. */
  async begin(
    device: RowName,
    { contentId, campaignId }: OfferRef,
    { state, owes }: Required<Pick<Turn, 'state' | 'owes'>>,
  ): Promise<{ action: Action | undefined; claim: Claim | null }> {
    const { tenant, deviceId } = device;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const [counted] = await tx.query<{ id: number }>(
        `insert into ops.ddi_counter as c (tenant, next_id) values ($1, 2)
         on conflict (tenant) do update set next_id = c.next_id + 1 returning next_id - 1 as id`,
        [tenant],
      );
      const now = this.clock.now();
      const claim = new Date(now + CLAIM_MS);
      const [made] = await tx.query<ActionRow>(
        `insert into ops.ddi_action
           (tenant, action_id, device_id, campaign_id, content_id, state, opened_at, changed_at, owed, owed_until)
         values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) on conflict do nothing returning ${COLUMNS}`,
        [tenant, counted!.id, deviceId, campaignId, contentId, state, new Date(now), JSON.stringify(owes), claim],
      );
      if (made !== undefined) return { action: actionOf(made), claim };
      const [row] = await tx.query<ActionRow>(
        `select ${COLUMNS} from ops.ddi_action where tenant = $1 and device_id = $2
           and state in ('waiting', 'offered', 'canceling', 'installed')`,
        [tenant, deviceId],
      );
      return { action: row && actionOf(row), claim: null };
    });
  }

  /**
   * Changes an action and notes what that owes to the record, and with it what else follows from the change: all or nothing.
   * @returns undefined when another request was first: its state is another, or it has the mark. Else the claim of what it owes: null
   *   where that is nothing, or another is at it
   */
  async turn(
    device: RowName,
    { actionId, state: from }: Action,
    turn: Turn,
  ): Promise<{ claim: Claim | null } | undefined> {
    const { tenant, deviceId } = device;
    const { state, refusedCancel, mark, details, asks = false, owes } = turn;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const [row] = await tx.query<LockedRow>(
        `select ${COLUMNS}, messages from ops.ddi_action where tenant = $1 and device_id = $2 and action_id = $3 for update`,
        [tenant, deviceId, actionId],
      );
      if (row === undefined || isElse(row, from, turn)) return undefined;
      const now = this.clock.now();
      const claim = owes.length > 0 && !row.owes ? new Date(now + CLAIM_MS) : null;
      await tx.query(
        `update ops.ddi_action set state = $4, changed_at = case when state = $4 then changed_at else $5 end,
           refused_cancel = coalesce($6, refused_cancel), ${mark === undefined ? '' : `${mark} = true,`}
           owed = case when $7::jsonb is null then owed else coalesce(owed, '[]') || $7::jsonb end,
           owed_until = coalesce($8, owed_until), reports = reports + $9, messages = coalesce($10, messages)
         where tenant = $1 and device_id = $2 and action_id = $3`,
        [
          ...[tenant, deviceId, actionId, state ?? row.state, new Date(now), refusedCancel ?? null],
          ...[owes.length === 0 ? null : JSON.stringify(owes), claim, details === undefined ? 0 : 1],
          await this.addedTo(tx, device, row, details),
        ],
      );
      if (asks)
        await tx.query('update ops.ddi_device set asks = true where tenant = $1 and device_id = $2', [
          tenant,
          deviceId,
        ]);
      if (state === 'canceled' || state === 'ended')
        await endLease(tx, device, { contentId: row.content_id, campaignId: row.campaign_id }, instant(now));
      return { claim };
    });
  }

  /** What it owes, for the caller to put on the record; undefined when it owes nothing or another is at it. */
  async claim(device: RowName, actionId: number): Promise<{ owed: FactOfServer[]; claim: Claim } | undefined> {
    const now = this.clock.now();
    const claim = new Date(now + CLAIM_MS);
    const [row] = await this.query<{ owed: FactOfServer[] }>(
      device,
      `update ops.ddi_action set owed_until = $5
       where tenant = $1 and device_id = $2 and action_id = $3 and owed is not null and (owed_until is null or owed_until < $4)
       returning owed`,
      [actionId, new Date(now), claim],
    );
    return row && { owed: row.owed, claim };
  }

  /** The first `count` that it owed are on the record. @returns what came to it meanwhile; nothing where the claim is another's by now */
  async paid(device: RowName, actionId: number, count: number, claim: Claim): Promise<FactOfServer[]> {
    const [row] = await this.query<{ owed: FactOfServer[] | null }>(
      device,
      `update ops.ddi_action a set owed = rest.of, owed_until = case when rest.of is null then null else a.owed_until end
       from (select action_id, nullif(jsonb_path_query_array(owed, '$[$n to last]', jsonb_build_object('n', $4::int)), '[]') as of
         from ops.ddi_action
         where tenant = $1 and device_id = $2 and action_id = $3 and owed_until = $5 for update) rest
       where a.tenant = $1 and a.action_id = rest.action_id returning a.owed`,
      [actionId, count, claim],
    );
    return row?.owed ?? [];
  }

  /** It could not be put on the record now: whoever comes next may try. */
  async release(device: RowName, actionId: number, claim: Claim): Promise<void> {
    const sql = `update ops.ddi_action set owed_until = null
      where tenant = $1 and device_id = $2 and action_id = $3 and owed_until = $4 returning 1`;
    await this.query(device, sql, [actionId, claim]);
  }

  /** Actions of a tenant that owe something which nobody is at. */
  async owing(tenant: string): Promise<{ deviceId: string; actionId: number }[]> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ device_id: string; action_id: number }>(
        `select device_id, action_id from ops.ddi_action
         where tenant = $1 and owed is not null and (owed_until is null or owed_until < $2) limit ${PAID_AT_ONCE}`,
        [tenant, new Date(this.clock.now())],
      ),
    );
    return rows.map(({ device_id: deviceId, action_id: actionId }) => ({ deviceId, actionId }));
  }

  /** Bytes `from` to before `to` were sent. @returns whether all `size` have been by now, in whatever order */
  async served(device: RowName, { actionId }: Action, [from, to]: [number, number], size: number): Promise<boolean> {
    const [row] = await this.query<{ isWhole: boolean }>(
      device,
      `update ops.ddi_action a set served = case when pieces.after <= greatest(pieces.before, ${PIECES}) then pieces.of else served end
       from (select served + int8multirange(int8range($4, $5)) as of, (select count(*) from unnest(served)) as before,
           (select count(*) from unnest(served + int8multirange(int8range($4, $5)))) as after
         from ops.ddi_action where tenant = $1 and device_id = $2 and action_id = $3 for update) pieces
       where a.tenant = $1 and a.device_id = $2 and a.action_id = $3 returning a.served @> int8range(0, $6) as "isWhole"`,
      [actionId, from, to, size],
    );
    return row?.isWhole ?? false;
  }

  /** Newest first. */
  async messages(device: RowName, actionId: number): Promise<string[]> {
    const sql = 'select messages from ops.ddi_action where tenant = $1 and device_id = $2 and action_id = $3';
    const [row] = await this.query<{ messages: Buffer | null }>(device, sql, [actionId]);
    return (await openOf<string[]>(this.keyring, device, `ddi_action/${actionId}`, row?.messages)) ?? [];
  }

  /** What it said of its actions cannot be read any more, and need not lie here. */
  async forget(device: RowName): Promise<void> {
    await this.query(device, 'update ops.ddi_action set messages = null where tenant = $1 and device_id = $2', []);
  }

  /** `$1` and `$2` are the device. */
  private query<R extends object>(device: RowName, sql: string, values: readonly unknown[]): Promise<R[]> {
    const { tenant, deviceId } = device;
    return this.databases.actor.inTenant(tenant, (tx) => tx.query<R>(sql, [tenant, deviceId, ...values]));
  }

  /** @returns null: nothing is new */
  private async addedTo(tx: Tx, { tenant, deviceId }: RowName, row: LockedRow, said: readonly string[] = []) {
    if (said.length === 0) return null;
    const about = `ddi_action/${row.action_id} ${deviceId}`;
    const key = (await this.keyring.sealingKeys(tx, tenant, [deviceId])).get(deviceId)!;
    const before = row.messages ? (openWith<string[]>(key, row.messages, about) ?? []) : [];
    return sealWith(key, [...[...said].reverse(), ...before].slice(0, MESSAGES), about);
  }
}

/** Another request was first. */
const isElse = (row: LockedRow, from: ActionState, { state, mark }: Turn): boolean =>
  (state !== undefined && row.state !== from) || (mark !== undefined && row[mark]);

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
  reports: row.reports,
  owes: row.owes,
});

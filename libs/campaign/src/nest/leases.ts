import { Inject, Injectable } from '@nestjs/common';
import type { OfferRef } from '#device-protocol/index.js';
import type { RowName, Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { TenantBoard } from '../board.js';
import { type Caps, isCapped, LEASE_MS, take, unused, type Usage, usageAt } from '../caps.js';
import { CONFLICT_MS, rivalsOf } from '../conflicts.js';
import type { HeldBack } from '../offers.js';

/** So long what a device was granted is paid for, ms. */
const PAID_MS = 86_400_000;
const EVER = new Date(0);
/** Leases are stamped here and facts by the database, whose clock may be behind. */
const SKEW_MS = 5_000;
/** Of all campaigns together. */
const ALL = '00000000-0000-0000-0000-000000000000';

/** Grants as leases: they count against the caps of their campaign, and one of a group keeps the others away. */
@Injectable()
export class Leases {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Takes a lease for one transfer, or says which gate holds it back. Who has one has it renewed: a transfer that is resumed costs
   * nothing. The rows of the caps are locked meanwhile, so that no two requests take the last one.
   */
  take(board: TenantBoard, device: RowName, offer: OfferRef, now: number): Promise<HeldBack | undefined> {
    return this.databases.actor.inTenant(device.tenant, (tx) => takeIn(tx, board, device, { offer, now }));
  }

  /** What `take` would answer. It is taken in a transaction that comes to nothing. */
  async look(board: TenantBoard, device: RowName, offer: OfferRef, now: number): Promise<HeldBack | undefined> {
    const seen: { held?: HeldBack } = {};
    try {
      await this.databases.actor.inTenant(device.tenant, async (tx) => {
        seen.held = await takeIn(tx, board, device, { offer, now });
        throw new OnlyLooked();
      });
    } catch (error) {
      if (!(error instanceof OnlyLooked)) throw error;
    }
    return seen.held;
  }

  async wasTaken(device: RowName, offer: OfferRef): Promise<boolean> {
    return this.databases.actor.inTenant(device.tenant, (tx) => isTakenSince(tx, device, offer, EVER));
  }

  /** While its bytes are sent. */
  async renew(device: RowName, offer: OfferRef): Promise<void> {
    const now = new Date(this.clock.now()).toISOString();
    await this.change(device, offer, now, `expires_at = $5::timestamptz + interval '${LEASE_MS} ms'`);
  }

  /** Its transfer is over, and it is at work on it. @param at when that was: a lease that was taken later is another */
  async transferred(device: RowName, offer: OfferRef, at: string): Promise<void> {
    await this.change(device, offer, at, 'transferred_at = coalesce(transferred_at, $5)');
  }

  /** It is done with it, well or not. */
  async end(device: RowName, offer: OfferRef, at: string): Promise<void> {
    await this.change(device, offer, at, ENDED);
  }

  /** @param change with `$5`, the time */
  private async change(device: RowName, offer: OfferRef, at: string, change: string): Promise<void> {
    await this.databases.actor.inTenant(device.tenant, (tx) => changeIn(tx, device, offer, { at, change }));
  }
}

const ENDED = 'ended_at = coalesce(ended_at, $5)';

/** It is done with it, in the transaction that says so. */
export const endLease = (tx: Tx, device: RowName, offer: OfferRef, at: string): Promise<void> =>
  changeIn(tx, device, offer, { at, change: ENDED });

async function changeIn(
  tx: Tx,
  { tenant, deviceId }: RowName,
  { contentId, campaignId }: OfferRef,
  { at, change }: { at: string; change: string },
): Promise<void> {
  await tx.query(
    `update ops.granted set ${change}
     where tenant = $1 and campaign_id = $2 and device_id = $3 and content_id = $4
       and granted_at <= $5::timestamptz + interval '${SKEW_MS} ms'`,
    [tenant, campaignId, deviceId, contentId, at],
  );
}

class OnlyLooked extends Error {}

async function takeIn(
  tx: Tx,
  board: TenantBoard,
  device: RowName,
  { offer, now }: { offer: OfferRef; now: number },
): Promise<HeldBack | undefined> {
  const { contentId, campaignId } = offer;
  const { caps } = board.campaigns.get(campaignId)!.settings!;
  const rivals = rivalsOf(board, campaignId);
  const limits = [
    { id: campaignId, caps },
    { id: ALL, caps: board.caps },
  ].filter((limit) => isCapped(limit.caps));
  const { sizeBytes } = board.contents.get(contentId)!.published!;
  if (limits.length + rivals.length > 0 && (await isRenewed(tx, device, offer, now))) return undefined;
  if (await hasRival(tx, device, rivals, now)) return { gate: 'conflict' };
  // One that asks for the same over and over pays once a day: the caps are not its to use up.
  const isPaid = limits.length > 0 && (await isTakenSince(tx, device, offer, new Date(now - PAID_MS)));
  const held = await spend(tx, device.tenant, limits, { sizeBytes: isPaid ? 0 : sizeBytes, now });
  if (held === undefined) await lease(tx, device, offer, now);
  return held;
}

async function isRenewed(tx: Tx, device: RowName, offer: OfferRef, now: number): Promise<boolean> {
  const rows = await tx.query(
    `update ops.granted set expires_at = $5
       where tenant = $1 and campaign_id = $2 and device_id = $3 and content_id = $4
         and expires_at > $6 and transferred_at is null and ended_at is null returning 1`,
    [device.tenant, offer.campaignId, device.deviceId, offer.contentId, new Date(now + LEASE_MS), new Date(now)],
  );
  return rows.length > 0;
}

async function isTakenSince(tx: Tx, { tenant, deviceId }: RowName, offer: OfferRef, since: Date): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from ops.granted where tenant = $1 and campaign_id = $2 and device_id = $3 and content_id = $4
       and granted_at > $5`,
    [tenant, offer.campaignId, deviceId, offer.contentId, since],
  );
  return rows.length > 0;
}

async function spend(
  tx: Tx,
  tenant: string,
  limits: readonly { id: string; caps: Caps }[],
  { sizeBytes, now }: { sizeBytes: number; now: number },
): Promise<HeldBack | undefined> {
  const spent: { id: string; usage: Usage }[] = [];
  for (const { id, caps } of limits) {
    const usage = usageAt(await lockedUsage(tx, tenant, id, unused(caps, now)), caps, now);
    const transfers = caps.transfers === null ? 0 : await openTransfers(tx, tenant, id, now);
    const after = take({ ...usage, transfers }, caps, sizeBytes);
    if ('retryAfterSeconds' in after) return { gate: 'cap', ...after };
    spent.push({ id, usage: after });
  }
  for (const { id, usage } of spent)
    await tx.query(
      'update ops.cap_usage set credit = $3, day_bytes = $4, counted_at = $5 where tenant = $1 and campaign_id = $2',
      [tenant, id, usage.credit, usage.dayBytes, new Date(usage.at)],
    );
  return undefined;
}

/** As `isAtWork` says it. */
async function hasRival(tx: Tx, { tenant, deviceId }: RowName, rivals: string[], now: number): Promise<boolean> {
  if (rivals.length === 0) return false;
  // A device that asks twice at once waits for itself: neither of two would see the lease of the other.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('lease:' || $1 || '/' || $2, 0))`, [tenant, deviceId]);
  const rows = await tx.query(
    `select 1 from ops.granted where tenant = $1 and device_id = $2 and ended_at is null and campaign_id = any($3::uuid[])
       and (expires_at > $4 or transferred_at > $5) limit 1`,
    [tenant, deviceId, rivals, new Date(now), new Date(now - CONFLICT_MS)],
  );
  return rows.length > 0;
}

async function lockedUsage(tx: Tx, tenant: string, id: string, first: Usage): Promise<Usage> {
  await tx.query(
    `insert into ops.cap_usage (tenant, campaign_id, credit, day_bytes, counted_at) values ($1, $2, $3, 0, $4)
     on conflict do nothing`,
    [tenant, id, first.credit, new Date(first.at)],
  );
  const [row] = await tx.query<{ credit: number; day_bytes: string; counted_at: Date }>(
    'select credit, day_bytes, counted_at from ops.cap_usage where tenant = $1 and campaign_id = $2 for update',
    [tenant, id],
  );
  const { credit, day_bytes: dayBytes, counted_at: at } = row!;
  return { transfers: 0, credit, dayBytes: Number(dayBytes), at: at.getTime() };
}

async function openTransfers(tx: Tx, tenant: string, id: string, now: number): Promise<number> {
  const [row] = await tx.query<{ n: number }>(
    `select count(*)::int as n from ops.granted where tenant = $1 and ($2 = '${ALL}' or campaign_id = $2::uuid)
       and transferred_at is null and ended_at is null and expires_at > $3`,
    [tenant, id, new Date(now)],
  );
  return row!.n;
}

async function lease(tx: Tx, device: RowName, { contentId, campaignId }: OfferRef, now: number): Promise<void> {
  await tx.query(
    `insert into ops.granted (tenant, campaign_id, device_id, content_id, granted_at, expires_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant, campaign_id, device_id, content_id) do update
     set granted_at = excluded.granted_at, expires_at = excluded.expires_at, transferred_at = null, ended_at = null`,
    [device.tenant, campaignId, device.deviceId, contentId, new Date(now), new Date(now + LEASE_MS)],
  );
}

import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { TenantBoard } from '../board.js';
import type { CampaignStatus } from '../campaign.js';
import { CampaignError } from '../errors.js';
import { Audience } from '../silent.js';
import { LiveBoard } from './live-board.js';
import type { SilentDeviceView } from './silent.dto.js';
import { type KnownRow, type ToldPlace, ToldValues } from './told-values.js';

const DAY_MS = 86_400_000;
/** Devices that are looked at together, and for one answer at most: of a million nearly all may be awake. */
const LOOK = 500;
const LOOKED_AT_MOST = 10_000;
/** Numbers of devices begin at 0. */
export const BEFORE_ALL = -1;

interface DeviceRow extends KnownRow {
  device_no: number;
  enrolled_at: Date;
}
interface Seen {
  polls: ReadonlyMap<number, Date>;
  told: ReadonlyMap<string, ToldPlace>;
}
interface Question {
  tenant: string;
  board: TenantBoard;
  audience: Audience;
  before: number;
}

export interface SilentDevicesPage {
  channel: string;
  status: CampaignStatus;
  items: SilentDeviceView[];
  /** The number to go on after; null at the end. */
  next: number | null;
}

/** Whom a campaign is for and who has not asked for days: by the read model of who asked when, which may trail the log by a moment. */
@Injectable()
export class SilentDevices {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(ToldValues) private readonly told: ToldValues,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param after number of the device that the page before ended with
   * @throws CampaignError `campaign.unknown`
   */
  async page(
    tenant: string,
    campaignId: string,
    { days, limit, after = BEFORE_ALL }: { days: number; limit: number; after?: number },
  ): Promise<SilentDevicesPage> {
    const board = await this.board.tenant(tenant);
    const campaign = board.campaigns.get(campaignId);
    if (!campaign?.settings) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
    const { status, settings } = campaign;
    const { channel } = settings;
    const of = { channel, status };
    const now = this.clock.now();
    const question = {
      tenant,
      board,
      audience: new Audience(board, campaignId, campaign, now),
      before: now - days * DAY_MS,
    };
    const items: SilentDeviceView[] = [];
    let at = after;
    for (let looked = 0; looked < LOOKED_AT_MOST; looked += LOOK) {
      const rows = await this.devices(tenant, channel, at);
      const seen = await this.seen(tenant, rows);
      for (const row of rows) {
        if (items.length === limit) return { ...of, items, next: at };
        at = row.device_no;
        const found = await this.look(question, row, seen);
        if (found !== undefined) items.push(found);
      }
      if (rows.length < LOOK) return { ...of, items, next: null };
    }
    return { ...of, items, next: at };
  }

  private devices(tenant: string, channel: string, after: number): Promise<DeviceRow[]> {
    return this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>(
        `select device_no, device_id, enrolled_at, kept_version from ops.device
         where tenant = $1 and channel = $2 and status = 'active' and device_no > $3 order by device_no limit $4`,
        [tenant, channel, after, LOOK],
      ),
    );
  }

  private async seen(tenant: string, rows: readonly DeviceRow[]): Promise<Seen> {
    const numbers = rows.map(({ device_no }) => device_no);
    const ids = rows.map(({ device_id }) => device_id);
    const polls = await this.databases.insight.inTenant(tenant, async (tx) => {
      const polls = await tx.query<{ device_no: number; polled_at: Date }>(
        'select device_no, polled_at from proj.p_device_seen_poll_v1 where tenant = $1 and device_no = any($2)',
        [tenant, numbers],
      );
      return new Map(polls.map(({ device_no, polled_at }) => [device_no, polled_at]));
    });
    return { polls, told: await this.told.places(tenant, ids) };
  }

  private async look(question: Question, row: DeviceRow, seen: Seen): Promise<SilentDeviceView | undefined> {
    const { device_id: deviceId, device_no: deviceNo, enrolled_at: enrolledAt } = row;
    const told = seen.told.get(deviceId);
    const last = Math.max(seen.polls.get(deviceNo)?.getTime() ?? 0, told?.askedAt?.getTime() ?? 0);
    if ((last || enrolledAt.getTime()) >= question.before || !question.audience.mayHave(deviceId)) return undefined;
    const attributes = await this.told.of(question.tenant, question.board.schema, row, told);
    const eligibility = question.audience.eligibility(attributes);
    if (eligibility === undefined) return undefined;
    const lastSeenAt = last === 0 ? null : instant(last);
    return { deviceId, deviceNo, lastSeenAt, enrolledAt: enrolledAt.toISOString(), eligibility };
  }
}

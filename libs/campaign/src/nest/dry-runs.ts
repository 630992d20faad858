import { Inject, Injectable } from '@nestjs/common';
import { encodePosition, nextOffset, PARTITIONS, type Position, type PostgresLog } from '#event-log/index.js';
import { Databases, TailLog } from '#event-log/nest/event-log.module.js';
import { KeptAttributes } from '#identity/nest/identity.module.js';
import { type Clock, instant, Recent } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { CUT_BY, type CutBy, digestOfDryRun, Replay, type Replayed } from '../dry-run.js';
import { CampaignError } from '../errors.js';
import type { CampaignSettings } from '../events.js';
import { LiveBoard } from './live-board.js';
import { LIMITS, type RecordedFleet, ReplayedLog } from './replayed-log.js';

const DAY_MS = 86_400_000;
/** What a review is shown. */
const REVIEW_DAYS = 7;
/** So long a report is fresh, ms. */
const FRESH_MS = 600_000;
const PAGE = 50_000;

interface Made {
  run: Replayed;
  settings: CampaignSettings;
  madeAt: number;
}

/** At a time in a process: they are work for a whole core. */
const AT_ONCE = 2;

/** Makes dry runs from the log: one of a tenant at a time, so that none keeps the others out, and few at all. */
@Injectable()
export class DryRuns {
  private readonly made = new Recent<string, Made>(200);
  private readonly running = new Set<string>();

  constructor(
    @Inject(TailLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(KeptAttributes) private readonly kept: KeptAttributes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The newest of this draft if it is of the last ten minutes, or else one that is made now, in haste. */
  async fresh(tenant: string, campaignId: string): Promise<Replayed> {
    const settings = await this.settingsOf(tenant, campaignId);
    const made = this.made.get(`${tenant}/${campaignId}`);
    const isFresh = made?.settings === settings && this.clock.now() - made.madeAt < FRESH_MS;
    return isFresh ? made.run : this.make(tenant, campaignId, REVIEW_DAYS, LIMITS.hastyMs);
  }

  /** @throws CampaignError `campaign.unknown`, `campaign.dry-run-busy` */
  async make(tenant: string, campaignId: string, days: number, ms: number = LIMITS.ms): Promise<Replayed> {
    const settings = await this.settingsOf(tenant, campaignId);
    if (this.running.has(tenant) || this.running.size >= AT_ONCE)
      throw new CampaignError('campaign.dry-run-busy', { retryAfterSeconds: 5 }, 'other dry runs are being made');
    this.running.add(tenant);
    try {
      const run = await this.replay(tenant, { campaignId, settings }, days, ms);
      this.made.set(`${tenant}/${campaignId}`, { run, settings, madeAt: this.clock.now() });
      return run;
    } finally {
      this.running.delete(tenant);
    }
  }

  private async settingsOf(tenant: string, campaignId: string): Promise<CampaignSettings> {
    const campaign = (await this.board.tenant(tenant)).campaigns.get(campaignId);
    if (!campaign?.settings) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
    return campaign.settings;
  }

  private async replay(
    tenant: string,
    draft: { campaignId: string; settings: CampaignSettings },
    days: number,
    ms: number,
  ): Promise<Replayed> {
    const until = this.clock.now();
    const from = until - days * DAY_MS;
    const deadline = performance.now() + ms;
    const board = await this.board.tenant(tenant);
    const heads = await this.log.heads(['muster.device']);
    const fleet = await this.fleet(tenant, draft.settings.channel, deadline);
    const replay = new Replay(board, draft, from);
    const around = { tenant, channel: draft.settings.channel, schema: board.schema, fleet, from, deadline };
    const log = new ReplayedLog(this.log, heads, around);
    const { cutBy, reached } = await log.into(replay);
    const position = encodePosition(devicesOf(heads));
    const cuts = CUT_BY.filter((cut) => cutBy.has(cut) || fleet.cutBy.has(cut));
    return {
      digest: digestOfDryRun(draft.settings, { position, days }),
      ...{ position, days, from: instant(from), until: instant(Math.min(until, reached ?? until)) },
      isPartial: cuts.length > 0,
      cutBy: cuts,
      report: replay.report(),
    };
  }

  /** Who has which number, and what is kept of whom, now. */
  private async fleet(tenant: string, channel: string, deadline: number): Promise<RecordedFleet> {
    const cutBy = new Set<CutBy>();
    const isLate = () => performance.now() > deadline;
    const ids = new Map<number, string>();
    const keeping: { deviceId: string; keptVersion: number }[] = [];
    for (let after = -1, more = true; more; ) {
      if (isLate()) cutBy.add('time');
      if (ids.size >= LIMITS.devices) cutBy.add('devices');
      if (cutBy.size > 0) break;
      const rows = await this.databases.actor.inTenant(tenant, (tx) =>
        tx.query<{ device_no: number; device_id: string; kept_version: number }>(
          `select device_no, device_id, kept_version from ops.device
           where tenant = $1 and channel = $2 and device_no > $3 and status <> 'forgotten' order by device_no limit $4`,
          [tenant, channel, after, PAGE],
        ),
      );
      for (const { device_no, device_id, kept_version } of rows) {
        ids.set(device_no, device_id);
        if (kept_version > 0) keeping.push({ deviceId: device_id, keptVersion: kept_version });
      }
      after = rows.at(-1)?.device_no ?? after;
      more = rows.length === PAGE;
    }
    const kept: RecordedFleet['kept'] = new Map();
    for (const each of keeping) {
      if (kept.size >= LIMITS.kept) cutBy.add('kept');
      if (isLate()) cutBy.add('time');
      if (cutBy.has('kept') || isLate()) break;
      kept.set(each.deviceId, await this.kept.of({ tenant, ...each }));
    }
    return { ids, kept, cutBy };
  }
}

const devicesOf = (heads: Position): Position =>
  Object.fromEntries(
    Array.from({ length: PARTITIONS }, (_, partition) => [
      `muster.device/${partition}`,
      nextOffset(heads, 'muster.device', partition),
    ]),
  );

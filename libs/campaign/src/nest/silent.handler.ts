import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import { Cursors } from '#runtime/nest/runtime.module.js';
import { refused } from '../errors.js';
import { wakeBody, type WakeTarget } from '../wake.js';
import { Channels } from './channels.js';
import { FactWriter } from './fact-writer.js';
import type { SilentPage, SilentQuery, WakeSilentDto, WakeTargetSet, WakeTargetView, WokenView } from './silent.dto.js';
import { BEFORE_ALL, SilentDevices } from './silent-devices.js';
import { type Target, TargetDoor } from './target-door.js';
import { WakeTargets } from './wake-targets.js';

/** A cursor of the list is good for the wake, and the other way round. */
const listOf = (tenant: string, campaignId: string, days: number): string => `silent:${tenant}:${campaignId}:${days}`;

/** Number of the device to go on after. @throws CursorError `cursor.malformed` */
const startOf = (cursors: Cursors, list: string, { cursor }: { cursor?: string }): number =>
  cursor === undefined ? BEFORE_ALL : Number(cursors.decode(list, cursor)[0]);

/** Devices that a campaign is for and that have not asked for days. */
export class ListSilent extends Query<SilentPage> {
  constructor(
    readonly tenant: string,
    readonly campaignId: string,
    readonly page: SilentQuery,
  ) {
    super();
  }
}

@QueryHandler(ListSilent)
export class ListSilentHandler implements IQueryHandler<ListSilent> {
  constructor(
    @Inject(SilentDevices) private readonly silent: SilentDevices,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  /** @throws CampaignError `campaign.unknown` */
  async execute({ tenant, campaignId, page }: ListSilent): Promise<SilentPage> {
    const { days, limit } = page;
    const list = listOf(tenant, campaignId, days);
    const from = startOf(this.cursors, list, page);
    const { items, next } = await this.silent.page(tenant, campaignId, { days, limit, after: from });
    return { items, next: next === null ? null : this.cursors.encode(list, [next]) };
  }
}

/** Wakes them: a message to the channel's target for each, as many as its rate allows. */
export class WakeSilent extends Command<WokenView> {
  constructor(
    readonly campaignId: string,
    readonly wish: WakeSilentDto,
    readonly context: EventContext,
  ) {
    super();
  }
}

/** Messages under way at one time. */
const AT_ONCE = 10;
/** So long one command sends, ms; the rest is for the next. */
const SENDING_MS = 20_000;

@CommandHandler(WakeSilent)
export class WakeSilentHandler implements ICommandHandler<WakeSilent> {
  constructor(
    @Inject(SilentDevices) private readonly silent: SilentDevices,
    @Inject(WakeTargets) private readonly targets: WakeTargets,
    @Inject(TargetDoor) private readonly door: TargetDoor,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  /** Nothing depends on it: who is not woken asks by its own rules. @throws CampaignError `campaign.unknown`, `campaign.not-running`, `wake.unknown` */
  async execute({ campaignId, wish, context }: WakeSilent): Promise<WokenView> {
    const { tenant } = context;
    const { days, limit } = wish;
    const list = listOf(tenant, campaignId, days);
    const after = startOf(this.cursors, list, wish);
    const page = await this.silent.page(tenant, campaignId, { days, limit, after });
    const { channel, status, items } = page;
    if (status !== 'running') throw refused('campaign.not-running', campaignId, 'nobody would get anything');
    const { target, taken } = await this.targets.take(tenant, channel, items.length);
    const devices = items.slice(0, taken).map(({ deviceId }) => deviceId);
    const { sent, failed } = await this.wakeAll(target, devices, (woken) =>
      this.record(context, { campaignId, channel }, woken),
    );
    const tried = sent + failed;
    const last = tried === 0 ? after : items[tried - 1]!.deviceNo;
    const next = tried < items.length ? last : page.next;
    return { sent, failed, isPartial: next !== null, next: next === null ? null : this.cursors.encode(list, [next]) };
  }

  /** In their order, for as long as one command may take. */
  private async wakeAll(
    target: Target,
    devices: readonly string[],
    record: (woken: readonly string[]) => Promise<void>,
  ): Promise<{ sent: number; failed: number }> {
    const signal = AbortSignal.timeout(SENDING_MS);
    let [sent, failed] = [0, 0];
    for (let at = 0; at < devices.length && !signal.aborted; at += AT_ONCE) {
      const some = devices.slice(at, at + AT_ONCE);
      const took = await Promise.all(some.map((deviceId) => this.door.post(target, wakeBody(deviceId), { signal })));
      const woken = some.filter((_, i) => took[i]!.isTaken);
      await record(woken);
      sent += woken.length;
      failed += some.length - woken.length;
    }
    return { sent, failed };
  }

  private async record(
    { tenant, actor, commandId }: EventContext,
    data: { campaignId: string; channel: string },
    deviceIds: readonly string[],
  ): Promise<void> {
    const facts = deviceIds.map((subject) => ({
      subject,
      context: { tenant, actor, commandId: newId(), correlationId: commandId },
      event: { type: 'WakeSent' as const, data },
    }));
    await this.writer.append(facts);
  }
}

/** Says where the wakes of a channel go, or that they go nowhere. */
export class SetWakeTarget extends Command<WakeTargetSet> {
  constructor(
    readonly channel: string,
    readonly target: WakeTarget,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(SetWakeTarget)
export class SetWakeTargetHandler implements ICommandHandler<SetWakeTarget> {
  constructor(
    @Inject(WakeTargets) private readonly targets: WakeTargets,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(TargetDoor) private readonly door: TargetDoor,
  ) {}

  /** @throws CampaignError `channel.unknown`, `wake.url` */
  async execute({ channel, target, context }: SetWakeTarget): Promise<WakeTargetSet> {
    await this.channels.require(context.tenant, channel);
    const checked = { url: this.door.check(target.url, 'wake.url'), perMinute: target.perMinute };
    return { channel, ...checked, secret: await this.targets.set(context, channel, checked) };
  }
}

export class RemoveWakeTarget extends Command<void> {
  constructor(
    readonly channel: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RemoveWakeTarget)
export class RemoveWakeTargetHandler implements ICommandHandler<RemoveWakeTarget> {
  constructor(
    @Inject(WakeTargets) private readonly targets: WakeTargets,
    @Inject(Channels) private readonly channels: Channels,
  ) {}

  /** @throws CampaignError `channel.unknown` */
  async execute({ channel, context }: RemoveWakeTarget): Promise<void> {
    await this.channels.require(context.tenant, channel);
    await this.targets.remove(context, channel);
  }
}

export class GetWakeTarget extends Query<WakeTargetView> {
  constructor(
    readonly tenant: string,
    readonly channel: string,
  ) {
    super();
  }
}

@QueryHandler(GetWakeTarget)
export class GetWakeTargetHandler implements IQueryHandler<GetWakeTarget> {
  constructor(@Inject(WakeTargets) private readonly targets: WakeTargets) {}

  /** @throws CampaignError `wake.unknown` */
  async execute({ tenant, channel }: GetWakeTarget): Promise<WakeTargetView> {
    return { channel, ...(await this.targets.get(tenant, channel)) };
  }
}

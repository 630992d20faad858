import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { type Clock, newId } from '#runtime/index.js';
import { CLOCK, Cursors } from '#runtime/nest/runtime.module.js';
import { refused } from '../errors.js';
import { checkWakeUrl, wakeBody, type WakeTarget } from '../wake.js';
import { Channels } from './channels.js';
import { FactWriter } from './fact-writer.js';
import { LiveBoard } from './live-board.js';
import type { SilentPage, SilentQuery, WakeSilentDto, WakeTargetSet, WakeTargetView, WokenView } from './silent.dto.js';
import { SilentDevices } from './silent-devices.js';
import { postSigned } from './wake-door.js';
import { WakeTargets } from './wake-targets.js';

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
    const list = `silent:${tenant}:${campaignId}:${days}`;
    const [after] = this.cursors.after(list, page) ?? [];
    const from = after === undefined || after === null ? {} : { after: Number(after) };
    const { items, next } = await this.silent.page(tenant, campaignId, { days, limit, ...from });
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
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Nothing depends on it: who is not woken asks by its own rules. @throws CampaignError `campaign.unknown`, `campaign.not-running`, `wake.unknown` */
  async execute({ campaignId, wish, context }: WakeSilent): Promise<WokenView> {
    const { tenant } = context;
    const { channel, items, next } = await this.silent.page(tenant, campaignId, wish);
    const { status } = (await this.board.tenant(tenant)).campaigns.get(campaignId)!;
    if (status !== 'running') throw refused('campaign.not-running', campaignId, 'nobody would get anything');
    const { target, taken } = await this.targets.take(tenant, channel, items.length);
    const devices = items.slice(0, taken).map(({ deviceId }) => deviceId);
    const signal = AbortSignal.timeout(SENDING_MS);
    let [sent, failed] = [0, 0];
    for (let at = 0; at < devices.length && !signal.aborted; at += AT_ONCE) {
      const some = devices.slice(at, at + AT_ONCE);
      const took = await Promise.all(some.map((deviceId) => this.wake(target, deviceId, signal)));
      const woken = some.filter((_, i) => took[i]);
      await this.record(context, { campaignId, channel }, woken);
      sent += woken.length;
      failed += some.length - woken.length;
    }
    return { sent, failed, isPartial: next !== null || sent + failed < items.length };
  }

  private wake(target: { url: string; secret: string }, deviceId: string, signal: AbortSignal): Promise<boolean> {
    return postSigned(target, wakeBody(deviceId), { now: this.clock.now(), signal });
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
  ) {}

  /** @throws CampaignError `channel.unknown`, `wake.url` */
  async execute({ channel, target, context }: SetWakeTarget): Promise<WakeTargetSet> {
    await this.channels.require(context.tenant, channel);
    const checked = { url: checkWakeUrl(target.url).href, perMinute: target.perMinute };
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

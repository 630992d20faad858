import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, EventLogError, execute, PostgresLog } from '#event-log/index.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK, requireVersion } from '#runtime/nest/runtime.module.js';
import type { CampaignState } from '../campaign.js';
import { campaignDecider, type CampaignCommand, type OmitOfEach } from '../decide.js';
import type { CampaignEvent, RetriedCampaign } from '../events.js';
import { CampaignError } from '../errors.js';
import { isOffered } from '../offers.js';
import { settingsAgain, type Surroundings } from '../settings.js';
import { type CampaignView, viewOfCampaign } from './campaign-view.dto.js';
import { FirstChannel } from './first-channel.js';
import { LiveBoard } from './live-board.js';
import { Outcomes } from './outcomes.js';

/** A command as callers give it: what it must know of the world is added here. */
export type CampaignOrder =
  | OmitOfEach<CampaignCommand, 'around' | 'now' | 'by' | 'underWay'>
  | { type: 'RetryCampaign'; data: { campaignId: string; parent: RetriedCampaign } };

export class RunCampaign extends Command<CampaignView> {
  constructor(
    readonly order: CampaignOrder,
    readonly context: EventContext,
    /** The version that the caller saw; undefined = whatever it is. */
    readonly version?: number,
  ) {
    super();
  }
}

@CommandHandler(RunCampaign)
export class RunCampaignHandler implements ICommandHandler<RunCampaign> {
  constructor(
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FirstChannel) private readonly channels: FirstChannel,
    @Inject(Outcomes) private readonly outcomes: Outcomes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ order: asked, context, version }: RunCampaign): Promise<CampaignView> {
    const order = asked.type === 'RetryCampaign' ? await this.draftAgain(asked, context) : asked;
    const { campaignId } = order.data;
    const around = await this.surroundings(context.tenant);
    const given = { by: context.actor, now: this.clock.now() };
    const underWay = order.type === 'CompleteCampaign' ? await this.underWay(context.tenant, campaignId) : 0;
    const command = { ...order, around, underWay, ...given } as unknown as CampaignCommand;
    const aggregate = { subject: campaignId, expectedVersion: version };
    try {
      const done = await execute<CampaignState, CampaignCommand, CampaignEvent>(
        this.log,
        campaignDecider,
        aggregate,
        command,
        context,
      );
      return viewOfCampaign(campaignId, done.state, done.version);
    } catch (error) {
      throw explained(error, campaignId, version);
    }
  }

  private async draftAgain(
    { data }: Extract<CampaignOrder, { type: 'RetryCampaign' }>,
    { tenant }: EventContext,
  ): Promise<CampaignOrder & { type: 'DraftCampaign' }> {
    const { campaignId } = data.parent;
    const settings = (await this.board.tenant(tenant)).campaigns.get(campaignId)?.settings;
    if (!settings) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
    return { type: 'DraftCampaign', data: { ...settingsAgain(settings), ...data } };
  }

  /** Of what was granted: the others have nothing to end. */
  private async underWay(tenant: string, campaignId: string): Promise<number> {
    const settings = (await this.board.tenant(tenant)).campaigns.get(campaignId)?.settings;
    if (!settings) return 0;
    return (await this.outcomes.of(tenant, campaignId, settings, { now: this.clock.now() })).underWay;
  }

  private async surroundings(tenant: string): Promise<Surroundings> {
    const { schema, contents, campaigns, approvals } = await this.board.tenant(tenant);
    const offering = [...campaigns.values()].filter(isOffered);
    return {
      schema,
      channels: await this.channels.names(tenant),
      approvals,
      selectorOf: (contentId) => contents.get(contentId)?.published?.selector ?? 'true',
      statusOf: (id) => campaigns.get(id)?.status,
      offersOf: (contentId) => offering.filter(({ settings }) => settings?.contents.includes(contentId)).length,
      contentOf: (contentId) => {
        const content = contents.get(contentId);
        if (content === undefined) return undefined;
        return content.withdrawn ? 'withdrawn' : 'published';
      },
    };
  }
}

/** Who said If-Match hears that it has changed since (412), or that it is not there (404, another tenant's alike). */
function explained(error: unknown, campaignId: string, version: number | undefined): unknown {
  if (!(error instanceof EventLogError) || error.code !== 'log.version-conflict') return error;
  const actual = Number(error.details.actual);
  if (actual === 0) return new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
  requireVersion(version, actual);
  return error;
}

import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { idFrom } from '#runtime/index.js';
import { IfMatch } from '#runtime/nest/runtime.module.js';
import {
  AbortDto,
  ApproveDto,
  CampaignDto,
  CampaignParams,
  OpenWaveDto,
  PauseDto,
  ReasonDto,
  ResumeDto,
  RetryDto,
  ScheduleDto,
  settingsOf,
  SubmitDto,
} from './campaign.dto.js';
import { CampaignsQuery } from './campaigns-query.dto.js';
import { CampaignPage, CampaignView } from './campaign-view.dto.js';
import { getCampaign, listCampaigns } from './read-campaign.handler.js';
import { RunCampaign } from './run-campaign.handler.js';
import { SubmitForReview } from './dry-run.handler.js';

type Version = number | undefined;

/** Changes ask for `If-Match` with the ETag that the campaign was read with; `*` takes it as it is. All may be repeated. */
@Controller('v1/campaigns')
@UseGuards(PeopleGuard)
export class CampaignController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Drafts a campaign. */
  @Post()
  @Needs('campaign:write')
  draft(@Body() body: CampaignDto, @Context() context: EventContext): Promise<CampaignView> {
    const campaignId = idFrom(context.commandId, 'campaign');
    const data = { campaignId, ...settingsOf(campaignId, body) };
    return this.commands.execute(new RunCampaign({ type: 'DraftCampaign', data }, context));
  }

  /** The tenant's campaigns, newest first. */
  @Get()
  @Needs('campaign:read')
  list(@Query() query: CampaignsQuery, @Caller() { tenant, kind, id }: Principal): Promise<CampaignPage> {
    const { status, q, awaiting } = query;
    const filter = { status, q, awaiting: awaiting === 'me' ? `${kind}:${id}` : undefined };
    return this.queries.execute(listCampaigns(tenant, query, filter));
  }

  @Get(':campaignId')
  @Needs('campaign:read')
  get(@Param() { campaignId }: CampaignParams, @Caller() { tenant }: Principal): Promise<CampaignView> {
    return this.queries.execute(getCampaign(tenant, campaignId));
  }

  /** Replaces the settings of a draft. */
  @Put(':campaignId')
  @Needs('campaign:write')
  edit(
    @Param() { campaignId }: CampaignParams,
    @Body() body: CampaignDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, ...settingsOf(campaignId, body) };
    return this.commands.execute(new RunCampaign({ type: 'EditCampaign', data }, context, version));
  }

  /** Submits a draft to review, with a dry run of it, made now when none is fresh. Any edit brings it back. */
  @Post(':campaignId/submit')
  @HttpCode(200)
  @Needs('campaign:write')
  submit(
    @Param() { campaignId }: CampaignParams,
    @Body() { report }: SubmitDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    return this.commands.execute(new SubmitForReview({ campaignId, report }, context, version));
  }

  /** Approves what is in review; nobody who has drafted or edited it may. */
  @Post(':campaignId/approve')
  @HttpCode(200)
  @Needs('campaign:approve')
  approve(
    @Param() { campaignId }: CampaignParams,
    @Body() { remark }: ApproveDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, remark };
    return this.commands.execute(new RunCampaign({ type: 'ApproveCampaign', data }, context, version));
  }

  /** Gives what is in review back to its authors. */
  @Post(':campaignId/reject')
  @HttpCode(200)
  @Needs('campaign:approve')
  reject(
    @Param() { campaignId }: CampaignParams,
    @Body() { reason }: ReasonDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, reason };
    return this.commands.execute(new RunCampaign({ type: 'RejectCampaign', data }, context, version));
  }

  /** Schedules a draft; a start that is not in the future starts it at once. */
  @Post(':campaignId/schedule')
  @HttpCode(200)
  @Needs('campaign:operate')
  schedule(
    @Param() { campaignId }: CampaignParams,
    @Body() period: ScheduleDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, ...period };
    return this.commands.execute(new RunCampaign({ type: 'ScheduleCampaign', data }, context, version));
  }

  /** Widens the wave. */
  @Post(':campaignId/wave')
  @HttpCode(200)
  @Needs('campaign:operate')
  openWave(
    @Param() { campaignId }: CampaignParams,
    @Body() { waveUpTo }: OpenWaveDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, waveUpTo };
    return this.commands.execute(new RunCampaign({ type: 'OpenWave', data }, context, version));
  }

  /** Pauses a running campaign: `soft` stops new grants, `hard` also running transfers. */
  @Post(':campaignId/pause')
  @HttpCode(200)
  @Needs('campaign:operate')
  pause(
    @Param() { campaignId }: CampaignParams,
    @Body() { kind, reason }: PauseDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, kind, reason };
    return this.commands.execute(new RunCampaign({ type: 'PauseCampaign', data }, context, version));
  }

  /** Resumes a paused campaign, or one that a rule has halted: then with a reason. */
  @Post(':campaignId/resume')
  @HttpCode(200)
  @Needs('campaign:operate')
  resume(
    @Param() { campaignId }: CampaignParams,
    @Body() { reason }: ResumeDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, ...(reason === undefined ? {} : { reason }) };
    return this.commands.execute(new RunCampaign({ type: 'ResumeCampaign', data }, context, version));
  }

  /** Drafts a campaign for those of whom became what `outcomes` says, with the settings of this one, which must be over. */
  @Post(':campaignId/retry')
  @Needs('campaign:write')
  retry(
    @Param() { campaignId: parentId }: CampaignParams,
    @Body() { outcomes }: RetryDto,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId: idFrom(context.commandId, 'campaign'), parent: { campaignId: parentId, outcomes } };
    return this.commands.execute(new RunCampaign({ type: 'RetryCampaign', data }, context));
  }

  /** Takes the last step back, in the five minutes after it; what devices have got meanwhile they keep. */
  @Post(':campaignId/undo')
  @HttpCode(200)
  @Needs('campaign:operate')
  undo(
    @Param() { campaignId }: CampaignParams,
    @Body() { reason }: ReasonDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, reason };
    return this.commands.execute(new RunCampaign({ type: 'UndoStep', data }, context, version));
  }

  /** Completes a campaign: no further grants; running transfers finish. */
  @Post(':campaignId/complete')
  @HttpCode(200)
  @Needs('campaign:operate')
  complete(
    @Param() { campaignId }: CampaignParams,
    @Body() { reason }: ReasonDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, reason };
    return this.commands.execute(new RunCampaign({ type: 'CompleteCampaign', data }, context, version));
  }

  /** Aborts a campaign: `keep` leaves what was granted, `recall` cancels it on the handsets. */
  @Post(':campaignId/abort')
  @HttpCode(200)
  @Needs('campaign:operate')
  abort(
    @Param() { campaignId }: CampaignParams,
    @Body() { disposition, reason }: AbortDto,
    @IfMatch() version: Version,
    @Context() context: EventContext,
  ): Promise<CampaignView> {
    const data = { campaignId, disposition, reason };
    return this.commands.execute(new RunCampaign({ type: 'AbortCampaign', data }, context, version));
  }
}

import { createHash } from 'node:crypto';
import {
  Body,
  Controller,
  Get,
  Head,
  HttpCode,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Device, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { BodyLimit } from '#runtime/nest/runtime.module.js';
import { artifactOf, cancelBody, deploymentBody, md5sumOf, type Root } from '../../ddi/bodies.js';
import { DDI_LIMITS, readConfigData, readFeedback } from '../../ddi/read-body.js';
import { refusal } from '../../errors.js';
import { sendConditional } from '../conditional.js';
import { DdiArtifacts } from './ddi-artifacts.js';
import { DdiDownloads } from './ddi-downloads.js';
import { DdiGuard } from './ddi-guard.js';
import { DdiPolls } from './ddi-polls.js';
import { DdiReports, unknownAction } from './ddi-reports.js';

/** As the router names them: their refusals have hawkBit's form. */
export const DDI_ROUTES = /^\/:tenant\/controller\/v1\//;

/** hawkBit's device API, for clients that exist (swupdate, rauc-hawkbit-updater). Bodies are read as hawkBit reads them, in `ddi/read-body.ts`. */
@Controller(':tenant/controller/v1/:controllerId')
@UseGuards(DdiGuard)
export class DdiController {
  constructor(
    @Inject(DdiPolls) private readonly polls: DdiPolls,
    @Inject(DdiReports) private readonly reports: DdiReports,
    @Inject(DdiArtifacts) private readonly artifacts: DdiArtifacts,
    @Inject(DdiDownloads) private readonly downloads: DdiDownloads,
  ) {}

  /** The poll: when to come again, and what there is. */
  @Get()
  async base(@Device() device: DeviceIdentity, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    send(request, reply, await this.polls.answer(device, rootOf(request)));
  }

  /** What is offered. */
  @Get('deploymentBase/:actionId')
  async deployment(
    @Param('actionId') actionId: string,
    @Query('actionHistory') history: string | undefined,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const artifact = await this.artifacts.read(device, idOf(actionId), ['offered', 'installed']);
    await this.artifacts.retrieved(device, artifact);
    const told = await this.artifacts.history(device, artifact, countOf(history));
    send(request, reply, deploymentBody(rootOf(request), artifact.offered, told));
  }

  /** How it goes. A final report ends the action. */
  @Post('deploymentBase/:actionId/feedback')
  @HttpCode(200)
  @BodyLimit(DDI_LIMITS.body)
  @ApiBody({ schema: { type: 'object' } })
  feedback(
    @Param('actionId') actionId: string,
    @Body() body: unknown,
    @Device() device: DeviceIdentity,
  ): Promise<void> {
    return this.reports.feedback(device, idOf(actionId), readFeedback(body));
  }

  /** What is to be stopped. */
  @Get('cancelAction/:actionId')
  async cancel(
    @Param('actionId') actionId: string,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const { action } = await this.artifacts.read(device, idOf(actionId), ['canceling']);
    send(request, reply, cancelBody(action.actionId));
  }

  /** Whether it was stopped. */
  @Post('cancelAction/:actionId/feedback')
  @HttpCode(200)
  @BodyLimit(DDI_LIMITS.body)
  @ApiBody({ schema: { type: 'object' } })
  cancelFeedback(
    @Param('actionId') actionId: string,
    @Body() body: unknown,
    @Device() device: DeviceIdentity,
  ): Promise<void> {
    return this.reports.cancelFeedback(device, idOf(actionId), readFeedback(body));
  }

  /** What the device is. */
  @Put('configData')
  @HttpCode(200)
  @BodyLimit(DDI_LIMITS.body)
  @ApiBody({ schema: { type: 'object' } })
  configData(@Body() body: unknown, @Device() device: DeviceIdentity): Promise<void> {
    return this.reports.tell(device, readConfigData(body));
  }

  /** What it has installed. */
  @Get('installedBase/:actionId')
  async installed(
    @Param('actionId') actionId: string,
    @Query('actionHistory') history: string | undefined,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const artifact = await this.artifacts.read(device, idOf(actionId), ['finished']);
    const told = await this.artifacts.history(device, artifact, countOf(history));
    send(request, reply, deploymentBody(rootOf(request), artifact.offered, told));
  }

  /** Artifacts of a module, which is what one action brings. */
  @Get('softwaremodules/:moduleId/artifacts')
  async list(
    @Param('moduleId') moduleId: string,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const { offered } = await this.artifacts.read(device, idOf(moduleId), ['offered', 'installed', 'finished']);
    send(request, reply, [artifactOf(rootOf(request), offered)]);
  }

  @Head('softwaremodules/:moduleId/artifacts/:file')
  describe(
    @Param('moduleId') moduleId: string,
    @Param('file') file: string,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.download(moduleId, file, device, request, reply);
  }

  /** Bytes of an artifact, or its checksum by `<file>.MD5SUM`. */
  @Get('softwaremodules/:moduleId/artifacts/:file')
  async download(
    @Param('moduleId') moduleId: string,
    @Param('file') file: string,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const named = { moduleId: idOf(moduleId), file };
    if (!file.endsWith(MD5SUM)) return this.downloads.send(device, named, request, reply);
    const about = { ...named, file: file.slice(0, -MD5SUM.length) };
    const { offered } = await this.artifacts.file(device, about, ['offered', 'installed', 'finished']);
    const headers = { 'content-type': 'text/plain', 'content-disposition': 'attachment' };
    void reply.headers(headers).send(md5sumOf(offered));
  }
}

const MD5SUM = '.MD5SUM';
const MOST = 2 ** 31 - 1;

/** @throws CampaignError `ddi.unknown` for what can be no id of ours */
function idOf(text: string): number {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  if (id < 1 || id > MOST) throw unknownAction();
  return id;
}

/** @throws CampaignError `ddi.malformed` */
function countOf(history: string | undefined): number {
  if (history === undefined) return 0;
  if (!/^-?\d{1,9}$/.test(history)) throw refusal('ddi.malformed', '/actionHistory', 'must be an integer');
  return Number(history);
}

/** Links are absolute, by the name that the client calls us. */
const rootOf = ({ headers, params }: FastifyRequest): Root => {
  const { tenant = '', controllerId = '' } = params as Record<string, string>;
  return `https://${headers.host}/${tenant}/controller/v1/${encodeURIComponent(controllerId)}`;
};

/** JSON under an ETag of its bytes; as HAL to who asks for that. */
function send(request: FastifyRequest, reply: FastifyReply, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body), 'utf8');
  const isHal = /application\/hal\+json/.test(request.headers.accept ?? '');
  sendConditional(request, reply, {
    body: bytes,
    etag: `"0${createHash('md5').update(bytes).digest('hex')}"`,
    headers: { 'content-type': isHal ? 'application/hal+json' : 'application/json' },
  });
}

import { Body, Controller, Get, Head, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Device, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { artifactOf, cancelBody, deploymentBody, MD5SUM, md5sumOf } from '../../ddi/bodies.js';
import { readConfigData, readFeedback } from '../../ddi/read-body.js';
import { DdiArtifacts } from './ddi-artifacts.js';
import { DdiDownloads } from './ddi-downloads.js';
import { DdiPolls } from './ddi-polls.js';
import { DdiReports } from './ddi-reports.js';
import { countOf, idOf, OfController, rootOf, sendDdi, TakesBody } from './ddi-request.js';

/** As the router names them: their refusals have hawkBit's form. */
export const DDI_ROUTES = /^\/:tenant\/controller\/v1\//;

/** hawkBit's device API, for clients that exist (swupdate, rauc-hawkbit-updater). Bodies are read as hawkBit reads them, in `ddi/read-body.ts`. */
@Controller(':tenant/controller/v1/:controllerId')
@OfController()
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
    sendDdi(request, reply, await this.polls.answer(device, rootOf(request)));
  }

  /** What is offered. */
  @Get('deploymentBase/:actionId')
  @ApiQuery({ name: 'actionHistory', required: false, schema: { type: 'integer' } })
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
    sendDdi(request, reply, deploymentBody(rootOf(request), artifact.offered, told));
  }

  /** How it goes. A final report ends the action. */
  @Post('deploymentBase/:actionId/feedback')
  @HttpCode(200)
  @TakesBody()
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
    sendDdi(request, reply, cancelBody(action.actionId));
  }

  /** Whether it was stopped. */
  @Post('cancelAction/:actionId/feedback')
  @HttpCode(200)
  @TakesBody()
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
  @TakesBody()
  configData(@Body() body: unknown, @Device() device: DeviceIdentity): Promise<void> {
    return this.reports.tell(device, readConfigData(body));
  }

  /** What it has installed. */
  @Get('installedBase/:actionId')
  @ApiQuery({ name: 'actionHistory', required: false, schema: { type: 'integer' } })
  async installed(
    @Param('actionId') actionId: string,
    @Query('actionHistory') history: string | undefined,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const artifact = await this.artifacts.read(device, idOf(actionId), ['finished']);
    const told = await this.artifacts.history(device, artifact, countOf(history));
    sendDdi(request, reply, deploymentBody(rootOf(request), artifact.offered, told));
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
    sendDdi(request, reply, [artifactOf(rootOf(request), offered)]);
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

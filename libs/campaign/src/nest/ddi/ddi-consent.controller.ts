import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Device, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { MayBeEmpty } from '#runtime/nest/runtime.module.js';
import { confirmationBody } from '../../ddi/bodies.js';
import { readAutoConfirm, readConfirmation } from '../../ddi/read-body.js';
import { DdiArtifacts } from './ddi-artifacts.js';
import { DdiConsent } from './ddi-consent.js';
import { countOf, idOf, OfController, rootOf, sendDdi, TakesBody } from './ddi-request.js';

/** hawkBit's confirmation flow: the user of a device is asked before anything is offered to it. */
@Controller(':tenant/controller/v1/:controllerId/confirmationBase')
@OfController()
export class DdiConsentController {
  constructor(
    @Inject(DdiConsent) private readonly consent: DdiConsent,
    @Inject(DdiArtifacts) private readonly artifacts: DdiArtifacts,
  ) {}

  /** Whether the device confirms by itself. */
  @Get()
  async base(@Device() device: DeviceIdentity, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    sendDdi(request, reply, await this.consent.show(device, rootOf(request)));
  }

  /** Everything that comes is confirmed from now on, and what waits. */
  @Post('activateAutoConfirm')
  @HttpCode(200)
  @TakesBody({ required: false })
  @MayBeEmpty()
  activate(@Body() body: unknown, @Device() device: DeviceIdentity): Promise<void> {
    return this.consent.activate(device, readAutoConfirm(body));
  }

  @Post('deactivateAutoConfirm')
  @HttpCode(200)
  @MayBeEmpty()
  deactivate(@Device() device: DeviceIdentity): Promise<void> {
    return this.consent.deactivate(device);
  }

  /** What would be offered. */
  @Get(':actionId')
  @ApiQuery({ name: 'actionHistory', required: false, schema: { type: 'integer' } })
  async waiting(
    @Param('actionId') actionId: string,
    @Query('actionHistory') history: string | undefined,
    @Device() device: DeviceIdentity,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const artifact = await this.artifacts.read(device, idOf(actionId), ['waiting']);
    const told = await this.artifacts.history(device, artifact, countOf(history));
    sendDdi(request, reply, confirmationBody(rootOf(request), artifact.offered, told));
  }

  /** The user's word. */
  @Post(':actionId/feedback')
  @HttpCode(200)
  @TakesBody()
  async answer(@Param('actionId') actionId: string, @Body() body: unknown, @Device() device: DeviceIdentity) {
    const confirmation = readConfirmation(body);
    await this.consent.answer(device, idOf(actionId), confirmation);
  }
}

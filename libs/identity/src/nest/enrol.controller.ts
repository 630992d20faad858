import { Body, Controller, Get, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiProduces } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { LIMITS } from '#device-protocol/index.js';
import { BodyLimit } from '#runtime/nest/runtime.module.js';
import { CertificateAuthority } from './authority.js';
import { newCommand } from './caller.js';
import { Enrol } from './enrol.handler.js';
import { EnrolDto, RenewDto } from './identity.dto.js';
import { EnrolledView } from './views.dto.js';

/** On the handset's port, without a client certificate: what is in the body proves who asks. */
@Controller('enrol/v1')
export class EnrolController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
  ) {}

  /** The CA of the server's own certificate, PEM: compare its fingerprint with the enrol line's, then trust it. */
  @Get('ca')
  @ApiProduces('application/x-pem-file')
  @Header('content-type', 'application/x-pem-file')
  ca(): Promise<string> {
    return this.authority.serverCa();
  }

  /** Trades a one-time code and a key of the device's own for a certificate. Repeating it with the same key is harmless. */
  @Post()
  @HttpCode(200)
  @BodyLimit(LIMITS.enrolBody)
  enrol(@Body() data: EnrolDto, @Req() request: FastifyRequest): Promise<EnrolledView> {
    return this.commands.execute(new Enrol({ type: 'Enrol', data }, newCommand(request)));
  }

  /** Renews a certificate, up to 400 days after its expiry, on proof of its key. */
  @Post('renew')
  @HttpCode(200)
  @BodyLimit(LIMITS.enrolBody)
  renew(@Body() data: RenewDto, @Req() request: FastifyRequest): Promise<EnrolledView> {
    return this.commands.execute(new Enrol({ type: 'Renew', data }, newCommand(request)));
  }
}

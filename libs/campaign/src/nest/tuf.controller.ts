import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CatalogueServer } from './catalogue-server.js';
import type { Repository } from './served-files.js';

/** The TUF repository of a channel, for anyone: a certificate is asked for and not required. Prose: deploy/protocol.md. */
@Controller('tuf/:tenant/:channel')
@ApiParam({ name: 'tenant', type: String })
@ApiParam({ name: 'channel', type: String })
export class TufController {
  constructor(@Inject(CatalogueServer) private readonly catalogue: CatalogueServer) {}

  /** The availability request: `If-None-Match`, and `Muster-Trigger` for the rule that woke the handset. */
  @Get('timestamp.json')
  poll(@Param() at: Repository, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.catalogue.poll(at, request, reply);
  }

  /** Metadata by version, and small targets below `targets/`; never the bytes of a content. */
  @Get('*')
  @ApiParam({ name: 'path', type: String })
  file(
    @Param() { '*': name, ...at }: Repository & { '*': string },
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.catalogue.file(at, name, request, reply);
  }
}

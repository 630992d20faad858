import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBody } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import { BodyLimit, PageQuery } from '#runtime/nest/runtime.module.js';
import { readEnrolmentCsv, writeCsv } from '../enrolment-csv.js';
import { refusedField } from '../errors.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { IdParams, IssueCodeDto, LifetimeDto } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { listCodes } from './read-identity.handler.js';
import { RunEnrolment } from './run-enrolment.handler.js';
import { ShowsSecret } from './shows-secret.js';
import { CodesPage, IssuedCode, IssuedCodes } from './views.dto.js';

/** 5,000 lines of the longest label, twice over. */
const BULK_BYTES = 2_097_152;

@Controller('v1/enrolment-codes')
@UseGuards(PeopleGuard)
export class EnrolmentCodesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's enrolment codes, used and unused, without the codes themselves. */
  @Get()
  @Needs('enrolment:read')
  list(@Query() page: PageQuery, @Caller() caller: Principal): Promise<CodesPage> {
    return this.queries.execute(listCodes(caller.tenant, page));
  }

  /** Issues one code, or a gateway token. `code` is shown in this answer alone. */
  @Post()
  @Needs('enrolment:write')
  @ShowsSecret()
  @ApiBody({ type: IssueCodeDto, required: false })
  async issue(
    @Body() { label, channel, lifetimeSeconds, gatewayDays }: IssueCodeDto,
    @Context() context: EventContext,
  ): Promise<IssuedCode | undefined> {
    const kind = gatewayDays === undefined ? {} : { kind: 'gateway' as const, lifetimeSeconds: gatewayDays * 86_400 };
    const data = { lines: [{ label: label ?? null, channel }], lifetimeSeconds, ...kind };
    const [code] = await this.commands.execute(new RunEnrolment({ type: 'IssueCodes', data }, context));
    return code;
  }

  /**
   * Issues a code for each line of a CSV (`text/csv`) with the columns `label` and `channel`: all of them or none.
   * Answers JSON, or CSV when the request accepts `text/csv`.
   */
  @Post('bulk')
  @Needs('enrolment:write')
  @ShowsSecret()
  @BodyLimit(BULK_BYTES)
  async bulk(
    @Req() request: FastifyRequest,
    @Query() { lifetimeSeconds }: LifetimeDto,
    @Context() context: EventContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<IssuedCodes | string> {
    const data = { lines: readEnrolmentCsv(csvOf(request)), lifetimeSeconds };
    const items = await this.commands.execute(new RunEnrolment({ type: 'IssueCodes', data }, context));
    if (!/^text\/csv\b/.test(request.headers.accept ?? '')) return { items };
    void reply
      .header('content-type', 'text/csv; charset=utf-8')
      .header('content-disposition', 'attachment; filename="enrolment-codes.csv"');
    return csvOfCodes(items);
  }

  /** Revokes a code that was not used. Repeating the call is harmless. */
  @Post(':id/revoke')
  @HttpCode(204)
  @Needs('enrolment:write')
  async revoke(@Param() { id: codeId }: IdParams, @Context() context: EventContext): Promise<void> {
    await this.commands.execute(new RunEnrolment({ type: 'RevokeCode', data: { codeId } }, context));
  }
}

function csvOf({ body }: FastifyRequest): string {
  if (typeof body === 'string') return body;
  throw refusedField('enrolment.csv', '', 'send the lines as text/csv');
}

const csvOfCodes = (items: readonly IssuedCode[]): string =>
  writeCsv(
    ['label', 'channel', 'code', 'expiresAt'],
    items.map(({ label, channel, code, expiresAt }) => [label, channel, code, expiresAt]),
  );

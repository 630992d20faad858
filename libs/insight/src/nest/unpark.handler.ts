import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type EventContext,
  passOver,
  PostgresLog,
  ProjectionError,
  ProjectionRunner,
  type Unparked,
} from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Principal } from '#identity/index.js';
import { audit } from '#identity/nest/identity.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { UnparkDto, UnparkedDto } from './projections.dto.js';
import { seesStream } from './projections.handler.js';

/** Has a read model apply what it has put aside of one stream. */
export class UnparkStream extends Command<UnparkedDto> {
  constructor(
    readonly name: string,
    readonly wish: UnparkDto,
    readonly caller: Principal,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(UnparkStream)
export class UnparkStreamHandler implements ICommandHandler<UnparkStream> {
  constructor(
    @Inject(ProjectionRunner) private readonly runner: ProjectionRunner,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws ProjectionError `projection.unknown`, `projection.not-parked`, `projection.poison`, `projection.rebuilding` */
  async execute(command: UnparkStream): Promise<UnparkedDto> {
    const { name, wish, caller } = command;
    const { stream, discard } = wish;
    if (!seesStream(caller, stream)) throw new ProjectionError('projection.not-parked', { projection: name, stream });
    const decide = (unparked: Unparked) => this.record(command, unparked);
    const { applied, passedOver } = await this.runner.unpark(name, stream, { discards: discard, decide });
    return { name, stream, applied, passedOver: [...passedOver] };
  }

  private async record({ name, wish, context }: UnparkStream, unparked: Unparked): Promise<void> {
    const { version, applied, passedOver } = unparked;
    const { stream, reason = '' } = wish;
    const { tenant } = context;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const decidedAt = instant(this.clock.now());
      await passOver(tx, { projection: name, version, stream, tenant, reason, decidedAt }, passedOver);
      const operation = passedOver.length > 0 ? 'projection.discard' : 'projection.unpark';
      const counts = `${applied} applied, ${passedOver.length} passed over`;
      const summary = `${counts}${reason === '' ? '' : ` (${reason})`}: ${stream}`.slice(0, 500);
      await audit(this.log, tx, context, { operation, object: { kind: 'projection', id: name }, summary });
    });
  }
}

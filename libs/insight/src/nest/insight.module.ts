import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { registerStatus } from '#runtime/nest/runtime.module.js';
import { AsOfGuard } from './as-of.guard.js';
import { EventsController } from './events.controller.js';
import { ReadEventsHandler } from './events.handler.js';
import { LiveController } from './live.controller.js';
import { campaignDeviceHandlers } from './campaign-devices.handler.js';
import { CancelOperations1767300000001 } from './migrations/cancel-operations.js';
import { CreateInsight1767300000000 } from './migrations/create-insight.js';
import { OverviewController } from './overview.controller.js';
import { ReadOverviewHandler } from './overview.handler.js';
import { OperationEntity } from './operation.entity.js';
import { operationHandlers } from './operation.handler.js';
import { Operations } from './operations.js';
import { ProgressController } from './progress.controller.js';
import { ReadProgressHandler } from './progress.handler.js';
import { ProjectionLag } from './projection-lag.js';
import { ProjectionsController } from './projections.controller.js';
import { ListProjectionsHandler, ReadProjectionHandler, RunProjectionHandler } from './projections.handler.js';
import { INSIGHT, ReadModels } from './read-models.js';
import { TimelineController } from './timeline.controller.js';
import { ReadTimelineHandler } from './timeline.handler.js';
import { UnparkStreamHandler } from './unpark.handler.js';

export { openApiDrift, writeOpenApi } from './open-api.js';

/** In order; they come after those of the event log. */
export const insightMigrations = [CreateInsight1767300000000, CancelOperations1767300000001];

registerStatus({ 'as-of.busy': 503, 'operation.over': 409 });

/** The read side: routes over the read models. Needs Runtime-, Identity- and EventLogModule, the last with `insightProjections`. */
@Module({})
export class InsightModule {
  /** @param url  the database, as role `muster_insight` */
  static forRoot({ url }: { url: string }): DynamicModule {
    return {
      module: InsightModule,
      imports: [
        CqrsModule.forRoot(),
        TypeOrmModule.forRoot({
          name: INSIGHT,
          type: 'postgres',
          url,
          entities: [OperationEntity],
          synchronize: false,
          applicationName: 'muster insight',
          poolSize: 10,
        }),
      ],
      controllers: [
        EventsController,
        LiveController,
        OverviewController,
        ProgressController,
        ProjectionsController,
        TimelineController,
      ],
      providers: [
        { provide: APP_GUARD, useClass: AsOfGuard },
        ...campaignDeviceHandlers,
        ListProjectionsHandler,
        Operations,
        ProjectionLag,
        ReadEventsHandler,
        ReadModels,
        ...operationHandlers,
        ReadOverviewHandler,
        ReadProjectionHandler,
        ReadProgressHandler,
        ReadTimelineHandler,
        RunProjectionHandler,
        UnparkStreamHandler,
      ],
    };
  }
}

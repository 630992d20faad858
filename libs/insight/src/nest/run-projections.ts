import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type EventCatalog, type Keyring, PostgresLog, ProjectionRunner } from '#event-log/index.js';
import type { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock, Log } from '#runtime/index.js';
import { insightProjections } from '../views/projections.js';

/** The runner of this room's read models, reading the log as the projector. */
export function projectionRunner(
  databases: Databases,
  events: EventCatalog,
  keyring: Keyring,
  clock: Clock,
  log: Log,
): ProjectionRunner {
  const source = new PostgresLog({ database: databases.projector, events, keyring, clock });
  return new ProjectionRunner({ database: databases.projector, source, projections: insightProjections, log });
}

/** Keeps the read models up to date while the application is up. */
@Injectable()
export class RunProjections implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(@Inject(ProjectionRunner) private readonly runner: ProjectionRunner) {}

  onApplicationBootstrap(): Promise<void> {
    return this.runner.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.runner.stop();
  }
}

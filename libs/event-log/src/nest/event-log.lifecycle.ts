import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ProjectionRunner } from '../projection-runner.js';
import { Databases } from './databases.js';
import { KafkaPart } from './kafka.provider.js';

/** Projections, and the relay where there is Kafka, run from the start of the application; the pools close last, when nobody needs them any more. */
@Injectable()
export class EventLogLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(ProjectionRunner) private readonly runner: ProjectionRunner,
    @Inject(KafkaPart) private readonly kafka: KafkaPart,
  ) {}

  onApplicationBootstrap(): Promise<void> {
    this.kafka.relay?.start();
    return this.runner.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runner.stop();
    await this.kafka.close();
    await this.databases.end();
  }
}

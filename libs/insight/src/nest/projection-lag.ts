import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Counter, register } from 'prom-client';
import { ProjectionRunner, type ProjectionStatus, type Topic } from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK, countedGauge } from '#runtime/nest/runtime.module.js';

export interface PartitionLag {
  topic: Topic;
  partition: number;
  /** Events that are yet to be applied. */
  events: number;
  /** Age of the oldest of them. */
  seconds: number;
}

export type LaggingProjection = Omit<ProjectionStatus, 'behind'> & { partitions: PartitionLag[] };

const EVENTS = 'muster_projection_lag_events';
const SECONDS = 'muster_projection_lag_seconds';
const PARKED = 'muster_projection_parked_streams';
const DUPLICATES = 'muster_projection_duplicates_total';

/** How far each partition of each read model is behind the log: for people, and as gauges for `/metrics`. */
@Injectable()
export class ProjectionLag implements OnModuleInit {
  private counting: Promise<LaggingProjection[]> | undefined;

  constructor(
    @Inject(ProjectionRunner) private readonly runner: ProjectionRunner,
    @Inject(TailLog) private readonly log: TailLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async list(): Promise<LaggingProjection[]> {
    return Promise.all(
      (await this.runner.list()).map(async ({ behind, ...status }) => {
        const partitions = behind.map(async ({ topic, partition, next, events }) => {
          const seconds = events > 0 ? await this.age(topic, partition, next) : 0;
          return { topic, partition, events, seconds };
        });
        return { ...status, partitions: await Promise.all(partitions) };
      }),
    );
  }

  /** For `/metrics`. */
  onModuleInit(): void {
    const labelNames = ['projection', 'topic', 'partition'];
    countedGauge({ name: EVENTS, help: 'Events yet to be applied.', labelNames }, (set) =>
      this.eachPartition(({ projection, topic, partition, events }) => set({ projection, topic, partition }, events)),
    );
    countedGauge({ name: SECONDS, help: 'Age of the oldest event yet to be applied.', labelNames }, (set) =>
      this.eachPartition(({ projection, topic, partition, seconds }) => set({ projection, topic, partition }, seconds)),
    );
    const streams = { name: PARKED, help: 'Streams put aside after a failure.', labelNames: ['projection'] };
    countedGauge(streams, async (set) => {
      for (const { name, parked } of await this.counted()) set({ projection: name }, parked.length);
    });
    this.countDuplicates();
  }

  /** Of this process: another worker had been faster, as when partitions change hands. */
  private countDuplicates(): void {
    const { runner } = this;
    register.removeSingleMetric(DUPLICATES);
    new Counter({
      name: DUPLICATES,
      help: 'Records read and dropped, because another worker had applied them.',
      labelNames: ['projection'],
      collect() {
        this.reset();
        for (const [projection, count] of runner.repetitions()) this.inc({ projection }, count);
      },
    });
  }

  private async eachPartition(see: (lag: PartitionLag & { projection: string }) => void): Promise<void> {
    for (const { name, partitions } of await this.counted())
      for (const lag of partitions) see({ projection: name, ...lag });
  }

  /** One count for all gauges of a reading. */
  private counted(): Promise<LaggingProjection[]> {
    this.counting ??= this.list().finally(() => (this.counting = undefined));
    return this.counting;
  }

  private async age(topic: Topic, partition: number, offset: number): Promise<number> {
    const [record] = await this.log.readTolerantly(topic, partition, offset, 1);
    const receivedAt = Date.parse(record?.receivedAt ?? '');
    // One that cannot be read on Kafka does not say when it came: 1970.
    return receivedAt > 0 ? Math.max(0, (this.clock.now() - receivedAt) / 1_000) : 0;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Counter, Gauge, register } from 'prom-client';
import { PARTITIONS, ProjectionRunner, type ProjectionStatus, type Topic } from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';

export interface PartitionLag {
  topic: Topic;
  partition: number;
  /** Events that are yet to be applied. */
  events: number;
  /** Age of the oldest of them. */
  seconds: number;
}

export type LaggingProjection = ProjectionStatus & { partitions: PartitionLag[] };

const EVENTS = 'muster_projection_lag_events';
const SECONDS = 'muster_projection_lag_seconds';
const PARKED = 'muster_projection_parked_streams';
const DUPLICATES = 'muster_projection_duplicates_total';

const LONGEST_MS = 2_000;

type Count = (labels: Record<string, string | number>, value: number) => void;

function gauge(name: string, help: string, labelNames: string[], count: (set: Count) => Promise<void>): void {
  register.removeSingleMetric(name);
  new Gauge({
    name,
    help,
    labelNames,
    async collect() {
      this.reset();
      const counting = count((labels, value) => this.set(labels, value));
      // While Kafka is away no lag can be told, and every other figure is wanted all the more.
      await Promise.race([counting.catch(() => undefined), sleep(LONGEST_MS, undefined, { ref: false })]);
    },
  });
}

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
    const statuses = await this.runner.list();
    const heads = await this.log.heads();
    return Promise.all(
      statuses.map(async (status) => {
        const lags = await Promise.all(
          status.topics.flatMap((topic) =>
            Array.from({ length: PARTITIONS }, async (_, partition) => {
              const next = status.position[`${topic}/${partition}`] ?? 0;
              const events = (heads[`${topic}/${partition}`] ?? 0) - next;
              return { topic, partition, events, seconds: events > 0 ? await this.age(topic, partition, next) : 0 };
            }),
          ),
        );
        return { ...status, partitions: lags };
      }),
    );
  }

  /** Registers the gauges, which count when `/metrics` is read. A second application in a process takes them over. */
  onModuleInit(): void {
    const labelNames = ['projection', 'topic', 'partition'];
    gauge(EVENTS, 'Events yet to be applied.', labelNames, async (set) =>
      this.eachPartition(({ projection, topic, partition, events }) => set({ projection, topic, partition }, events)),
    );
    gauge(SECONDS, 'Age of the oldest event yet to be applied.', labelNames, async (set) =>
      this.eachPartition(({ projection, topic, partition, seconds }) => set({ projection, topic, partition }, seconds)),
    );
    gauge(PARKED, 'Streams put aside after a failure.', ['projection'], async (set) => {
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

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '#runtime/index.js';
import { CLOCK, countedGauge } from '#runtime/nest/runtime.module.js';
import { Databases } from './databases.js';
import { KafkaPart } from './kafka.provider.js';

interface Lag {
  topic: string;
  part: number;
  events: number;
  /** When the oldest of them was received; null when there is none. */
  since: Date | null;
}

const EVENTS = 'muster_relay_lag_events';
const SECONDS = 'muster_relay_lag_seconds';
/** By the relay's notes, in Postgres alone: with the broker away it is what one wants to know. */
const LAG = `
  select h.topic, h.part, greatest(h.next_off - coalesce(r.next_off, 0), 0)::int as events,
    (select received_at from log.record o
     where o.topic = h.topic and o.part = h.part and o.off = coalesce(r.next_off, 0)) as since
  from log.head h left join log.relay r on r.topic = h.topic and r.part = h.part
  where h.topic <> 'muster.device'`;

/** How far Kafka is behind Postgres, as gauges for `/metrics`; there are none where the log is Postgres alone. */
@Injectable()
export class RelayLag implements OnModuleInit {
  private counting: Promise<Lag[]> | undefined;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(KafkaPart) private readonly kafka: KafkaPart,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    if (this.kafka.relay === undefined) return;
    this.gauge(EVENTS, 'Events that Kafka has not acknowledged.', ({ events }) => events);
    this.gauge(SECONDS, 'Age of the oldest event that Kafka has not acknowledged.', ({ since }) =>
      since === null ? 0 : Math.max(0, (this.clock.now() - since.getTime()) / 1_000),
    );
  }

  private gauge(name: string, help: string, valueOf: (lag: Lag) => number): void {
    countedGauge({ name, help, labelNames: ['topic', 'partition'] }, async (set) => {
      for (const lag of await this.counted()) set({ topic: lag.topic, partition: lag.part }, valueOf(lag));
    });
  }

  /** One count for both gauges of a reading. */
  private counted(): Promise<Lag[]> {
    this.counting ??= this.databases.tail.query<Lag>(LAG).finally(() => (this.counting = undefined));
    return this.counting;
  }
}

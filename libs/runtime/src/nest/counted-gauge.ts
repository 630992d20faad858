import { setTimeout as sleep } from 'node:timers/promises';
import { Gauge, register } from 'prom-client';

const LONGEST_MS = 2_000;

export interface GaugeShape {
  name: string;
  help: string;
  labelNames: string[];
}

type Count = (labels: Record<string, string | number>, value: number) => void;

/**
 * A gauge that counts when `/metrics` is read. What cannot be counted, or not in time, is left out: while a part is away
 * every other figure is wanted all the more. A second application in a process takes the gauge over.
 */
export function countedGauge(shape: GaugeShape, count: (set: Count) => Promise<void> | void): void {
  register.removeSingleMetric(shape.name);
  new Gauge({
    ...shape,
    async collect() {
      this.reset();
      const counting = (async () => count((labels, value) => this.set(labels, value)))();
      await Promise.race([counting.catch(() => undefined), sleep(LONGEST_MS, undefined, { ref: false })]);
    },
  });
}

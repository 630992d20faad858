import { afterAll, beforeAll } from 'vitest';
import { bench } from './harness.js';
import { FilledLogs } from './filled-logs.js';

/** `MUSTER_BENCH_EVENTS` sets the largest; ten million take half an hour and 15 GB. */
const LARGEST = Number(process.env.MUSTER_BENCH_EVENTS ?? 1_000_000);
const SIZES = [LARGEST / 100, LARGEST / 10, LARGEST].map(Math.round);
const logs = new FilledLogs();
beforeAll(() => logs.fill(SIZES), 3_600_000);
afterAll(() => logs.drop());

bench({
  name: 'rebuild, memory',
  load: 'device_timeline, from offset 0 of a log of numbered facts of devices, and swapped: what the process holds at most',
  unit: 'event',
  clock: 'cpu',
  sizes: { of: 'events', values: SIZES },
  contenders: [
    { name: 'rebuild', run: (events) => logs.run(events, { kind: 'rebuild', projection: 'device_timeline' }) },
  ],
  goals: [],
  slopesBelow: { rebuild: 0.05 },
  notes: () => logs.memory('rebuild'),
});

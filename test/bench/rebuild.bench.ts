import { afterAll, beforeAll } from 'vitest';
import { bench } from './harness.js';
import { FilledLogs } from './filled-logs.js';

/** `MUSTER_BENCH_EVENTS` sets the largest. */
const LARGEST = Number(process.env.MUSTER_BENCH_EVENTS ?? 100_000);
const SIZES = [10_000, Math.round(Math.sqrt(10_000 * LARGEST)), LARGEST];
const logs = new FilledLogs();
beforeAll(() => logs.fill(SIZES), 1_200_000);
afterAll(() => logs.drop());

bench({
  name: 'rebuild',
  load: 'device_timeline, from offset 0 of a log of numbered facts of devices, and swapped; beside it the same live, 500 a transaction, and a loop that reads the rows and does nothing',
  unit: 'event',
  clock: 'cpu',
  sizes: { of: 'events', values: SIZES },
  contenders: [
    { name: 'rebuild', run: (events) => logs.run(events, { kind: 'rebuild', projection: 'device_timeline' }) },
    { name: 'live', run: (events) => logs.run(events, { kind: 'live', projection: 'device_timeline' }) },
    { name: 'bare read of the log', run: (events) => logs.run(events, { kind: 'read' }) },
  ],
  goals: [
    { of: 'rebuild', against: 'bare read of the log', runsAtLeast: 0.3 },
    { of: 'rebuild', against: 'live', runsAtLeast: 2 },
  ],
  slopesBelow: { rebuild: 0.05 },
  notes: () => [
    'Twice live is met at times and not always: 1.5 to 2.3 in runs of one day. Half of a rebuild is Postgres, and most of that the key of the table that is copied into. Next: make the key after the bulk, before the swap.',
    ...logs.memory('rebuild'),
  ],
});

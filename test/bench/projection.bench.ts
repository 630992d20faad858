import { afterAll, beforeAll } from 'vitest';
import { bench } from './harness.js';
import { FilledLogs } from './filled-logs.js';

const SIZES = [10_000, 30_000, 100_000];
/** As many records as the runner applies in one transaction. */
const BATCH = 500;
const logs = new FilledLogs();
beforeAll(() => logs.fill(SIZES), 600_000);
afterAll(() => logs.drop());

bench({
  name: 'projection',
  load: `device_timeline, behind by all events of a log of numbered facts of devices, ${BATCH} a transaction; bare: its rows, ready, ${BATCH} a commit`,
  unit: 'event',
  clock: 'cpu',
  sizes: { of: 'events', values: SIZES },
  contenders: [
    { name: 'live projection', run: (events) => logs.run(events, { kind: 'live', projection: 'device_timeline' }) },
    { name: 'bare unnest upsert', run: (events) => logs.run(events, { kind: 'upsert', batch: BATCH }) },
  ],
  goals: [{ of: 'live projection', against: 'bare unnest upsert', runsAtLeast: 0.25 }],
  slopesBelow: { 'live projection': 0.05 },
});

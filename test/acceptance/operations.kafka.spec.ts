import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { metricsIn, metricsOf, queries } from '../support/monitoring.js';
import { Cli } from '../support/server.js';

/* What `operations.spec.ts` leaves out, because it is there only where Kafka carries the log. */

let muster: Installation;
beforeAll(async () => {
  muster = await Installation.start('operations-kafka');
});
afterAll(() => muster?.stop());

it('every metric that a rule or the dashboard asks for is in an answer of /metrics, those of the relay too', async () => {
  const known = metricsOf((await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8'));
  const asked = queries().flatMap(({ expr }) => metricsIn(expr));
  expect(asked.filter((name) => name.startsWith('muster_relay_')).length).toBeGreaterThan(2);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
  expect(known.get('muster_relay_lag_seconds')?.labels.length).toBeGreaterThan(0);
});

it('`muster doctor` looks at the relay', async () => {
  const cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
  const findings = await cli.json<{ check: string; state: string }[]>('doctor');
  expect(findings).toContainEqual(expect.objectContaining({ check: 'relay', state: 'ok' }));
});

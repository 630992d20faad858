import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Enrolled, Installation } from '../support/installation.js';
import { type Metric, metricsIn, metricsOf, queries } from '../support/monitoring.js';
import { Cli } from '../support/server.js';

/* What operators ask of a running server: its counters, which rules and dashboard rely on, and `muster doctor`. */

let muster: Installation;
let device: Enrolled;
beforeAll(async () => {
  muster = await Installation.start('operations');
  device = await muster.enrol();
});
afterAll(() => muster?.stop());

const metrics = async (): Promise<Map<string, Metric>> =>
  metricsOf((await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8'));

/** These are there where Kafka carries the log: `operations.kafka.spec.ts`. */
const isOfKafka = (name: string): boolean => name.startsWith('muster_relay_');

it('every metric that a rule or the dashboard asks for is in an answer of /metrics', async () => {
  const known = await metrics();
  const asked = queries().flatMap(({ where, expr }) => metricsIn(expr).map((name) => ({ where, name })));
  expect(asked.length).toBeGreaterThan(30);
  const lacking = asked.filter(({ name }) => !known.has(name) && !isOfKafka(name));
  expect(lacking).toEqual([]);
});

it('rates are asked of what only grows', async () => {
  const known = await metrics();
  const rated = queries().flatMap(({ expr }) => [...expr.matchAll(/(?:rate|increase)\((muster_\w+)/g)]);
  expect(rated.length).toBeGreaterThan(5);
  for (const [, name = ''] of rated)
    expect([name, known.get(name)?.type]).toEqual([name, expect.stringMatching(GROWS)]);
});
const GROWS = /^(counter|histogram)$/;

it('a label that a query selects by is one that the metric has', async () => {
  await muster.people('GET', '/v1/me');
  await muster.handset('GET', '/d/v1/inbox', { device });
  const known = await metrics();
  const wrong = queries().flatMap(({ where, expr }) =>
    [...expr.matchAll(/(muster_\w+)\{([^}]*)\}/g)].flatMap(([, name = '', selector = '']) => {
      const has = new Set(known.get(name)?.labels.flatMap((labels) => Object.keys(labels)));
      const asked = [...selector.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
      // `instance` comes from the scrape; what has no series yet shows no label.
      return has.size === 0
        ? []
        : asked.filter((each) => each !== 'instance' && !has.has(each)).map((each) => `${where}: ${name}{${each}}`);
    }),
  );
  expect(wrong).toEqual([]);
});

it('no label holds an id, whoever has polled, asked and uploaded', async () => {
  await muster.publish(Buffer.from('content'));
  await muster.handset('GET', '/tuf/main/main/timestamp.json', { device, headers: { 'muster-trigger': 'timer;v=1' } });
  await muster.handset('GET', `/d/v1/contents/${device.deviceId}`, { device });
  await muster.people('GET', `/v1/devices/${device.deviceId}`);
  const values = [...(await metrics()).values()].flatMap(({ labels }) => labels.flatMap((each) => Object.values(each)));
  expect(values.length).toBeGreaterThan(50);
  expect(values.filter((value) => /[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{32}/.test(value))).toEqual([]);
});

it('what is always there has its value: readiness, certificates, signed roles, disks', async () => {
  const known = await metrics();
  const labelsOf = (name: string, label: string) =>
    known
      .get(name)
      ?.labels.map((each) => each[label])
      .sort();
  expect(labelsOf('muster_ready', 'check')).toEqual(['postgres', 'relay', 'storage']);
  expect(labelsOf('muster_certificate_expiry_seconds', 'certificate')).toEqual(['device-ca', 'server', 'server-ca']);
  expect(labelsOf('muster_disk_free_bytes', 'disk')).toEqual(['contents', 'database']);
  expect(labelsOf('muster_tuf_role_expiry_seconds', 'role')).toEqual(
    expect.arrayContaining(['root', 'snapshot', 'targets', 'timestamp']),
  );
});

it('`muster doctor` finds a fresh installation well, port by port and version by version', async () => {
  const cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
  const { code, stdout } = await cli.try('doctor', '--json');
  const findings = JSON.parse(stdout) as { check: string; state: string; detail: string }[];
  expect(findings.filter(({ state, check }) => state !== 'ok' && check !== 'store')).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining([
      ...['node', 'clock', 'version', 'database', 'database schema', 'server: postgres', 'server: storage'],
      ...['handset port: chain', 'handset port: names', 'handset port: certificate', 'handset port: CA'],
      ...['key: main root', 'key: main timestamp', 'lag: campaign_progress', 'disk: contents', 'disk: database'],
    ]),
  );
  expect(code).toBe(0);
});

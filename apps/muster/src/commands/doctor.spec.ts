import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Api } from '../cli/api.js';
import type { Context } from '../cli/command.js';
import { Output } from '../cli/output.js';
import { keyFinding } from './key-findings.js';
import { counters, diskFindings, relayFinding } from './lag-findings.js';
import { clock, databaseFindings, server, versions } from './server-findings.js';

const DAY = 86_400_000;
const status = (days: number, due: boolean, online: boolean) => {
  return { role: 'root', expiresAt: new Date(days * DAY).toISOString(), due, online };
};

it.each([
  ['expired', status(-1, true, false), 'bad'],
  ['signed offline and past half of its life', status(30, true, false), 'due'],
  ['signed offline and young', status(300, false, false), 'ok'],
  ['signed online, whatever its age', status(1, true, true), 'ok'],
])('tells of metadata that is %s', (_, of, state) =>
  expect(keyFinding('main', of, 0)).toMatchObject([{ check: 'key: main root', state }]),
);

const metrics = (seconds: number) => `# TYPE muster_relay_lag_events gauge
muster_relay_lag_events{topic="muster.audit",partition="0"} 2
muster_relay_lag_events{topic="muster.campaign",partition="11"} 40
muster_relay_lag_seconds{topic="muster.audit",partition="0"} 0.4
muster_relay_lag_seconds{topic="muster.campaign",partition="11"} ${seconds}
`;

it.each([
  ['that keeps up', 1.6, 'ok', '42 events that Kafka does not have, the oldest of 2 s'],
  ['whose broker is away', 61, 'bad', '42 events that Kafka does not have, the oldest of 61 s'],
])('tells of a relay %s', (_, seconds, state, detail) =>
  expect(relayFinding(metrics(seconds))).toEqual([{ check: 'relay', state, detail }]),
);

it('tells of no relay where the log is Postgres alone', () => expect(relayFinding('up 1\n')).toEqual([]));

const MIB = 1_048_576;
const disk = (freeMib: number) => `muster_disk_free_bytes{disk="contents"} ${freeMib * MIB}
muster_disk_low_bytes{disk="contents"} ${256 * MIB}
`;

it.each([
  [255, 'bad'],
  [1_023, 'due'],
  [1_024, 'ok'],
])('tells of a disk with %i MiB left, of which 256 are the least: %s', (free, state) =>
  expect(diskFindings(disk(free))).toEqual([
    { check: 'disk: contents', state, detail: `${free} MiB left; not ready below 256` },
  ]),
);

it.each([
  ['that agrees, as far as whole seconds tell', 10_000, 'ok', 'agrees with the server'],
  ['that is behind', 70_000, 'bad', '60 s apart from the server'],
  ['that is ahead', -50_000, 'bad', '60 s apart from the server'],
])('tells of a clock %s', (_, now, state, detail) =>
  expect(clock(10_000, now, now)).toEqual({ check: 'clock', state, detail }),
);

it('tells of a program that is not of the version of the server', () => {
  expect(versions('0.2.0', '0.2.0').state).toBe('ok');
  expect(versions('0.2.0', '0.1.0')).toMatchObject({
    state: 'due',
    detail: 'server 0.2.0, this program 0.1.0: use the same',
  });
});

it.each([
  ['that is the servers own', '18.4', 'B2', ['ok', 'ok']],
  ['of a newer server', '18.4', 'C3', ['ok', 'bad']],
  ['in a Postgres that is too old', '15.18', 'B2', ['bad', 'ok']],
])('tells of a schema %s', (_, databaseVersion, applied, states) => {
  const installation = { handsetUrl: '', caFingerprint: '', databaseVersion, schema: { applied, known: 'B2' } };
  expect(databaseFindings(installation).map(({ state }) => state)).toEqual(states);
});

describe('of a port where something else than Muster answers', () => {
  const http = createServer();
  afterEach(() => new Promise((resolve) => http.close(resolve)));

  /** What a command sees of a server with these answers, by path; any other is a proxy's page. */
  const contextOf = async (answers: Record<string, object> = {}, status = 502): Promise<Context> => {
    http.removeAllListeners('request').on('request', ({ url = '' }, response) => {
      const answer = answers[url];
      if (answer === undefined) response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>');
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { signal } = new AbortController();
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const out = new Output({ json: true, quiet: true, verbose: false, colour: false });
    return { api: new Api({ server: url, signal }), out, env: {}, signal };
  };

  const ready = { ready: true, checks: [{ name: 'postgres', ok: true }] };

  it.each([
    ["a proxy's 502", {}, 502],
    ["somebody's page", {}, 200],
    ['JSON of something else', { '/readyz': { status: 'UP' } }, 200],
    ['Muster at one path alone', { '/readyz': ready }, 502],
    ['Muster at one path alone, and a page', { '/readyz': ready }, 200],
  ])('tells that the server is bad: %s', async (_, answers, status) => {
    const context = await contextOf(answers, status);
    const said = expect.stringContaining(context.api.options.server) as string;
    expect(await server(context)).toEqual([{ check: 'server', state: 'bad', detail: said }]);
  });

  it('takes no page for counters of a server without disks', async () => {
    expect(await counters(await contextOf())).toMatchObject([{ check: 'metrics', state: 'unknown' }]);
  });
});

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GivenPostgres } from '../support/given-postgres.js';
import { canBoot, PrivateSystemd } from '../support/private-systemd.js';
import { eventually, freePort } from '../support/processes.js';

/* The units of deploy/systemd, started, killed and stopped by a systemd that the test boots. */

/** What `systemd-analyze security` may find, in tenths of its points: 0 is a prison, 100 no bars at all. */
const EXPOSED = 20;

/** What README.md has `systemd-run` do, which would want a D-Bus. */
const ENROL = `[Service]
Type=oneshot
DynamicUser=yes
User=muster-handset
StateDirectory=muster-handset
Environment=MUSTER_HANDSET_DATA=/var/lib/muster-handset
ExecStart=node /opt/muster/dist/apps/handset/src/cli.js enrol \${SERVER} --ca \${CA} --code \${CODE}
`;

interface Ports {
  people: number;
  handset: number;
}

let systemd: PrivateSystemd;
let postgres: GivenPostgres;
const ports: Record<string, Ports> = {};

const envOf = ({ people, handset }: Ports): string => `MUSTER_PORT=${people}\nMUSTER_HANDSET_PORT=${handset}\n`;
const readiness = async (port: number): Promise<number | undefined> =>
  (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status;
const isReady = async (port: number): Promise<boolean> => (await readiness(port)) === 200;

/** Kills it like a crash, and waits until systemd has brought it up again. */
async function killed(unit: string, port: number | undefined): Promise<void> {
  const before = await systemd.property(unit, 'MainPID');
  await systemd.run('kill', '-9', before);
  await eventually(
    `${unit} is there again`,
    async () => {
      const isActive = (await systemd.property(unit, 'ActiveState')) === 'active';
      const isAnother = (await systemd.property(unit, 'MainPID')) !== before;
      return (isActive && isAnother && (port === undefined || (await isReady(port)))) || undefined;
    },
    90_000,
  );
  expect(await systemd.property(unit, 'NRestarts')).toBe('1');
}

/** Ids of the processes of a control group and of those below it; none when it is gone. */
async function processesOf(group: string): Promise<string[]> {
  const found = await systemd.run('find', `/sys/fs/cgroup${group}`, '-name', 'cgroup.procs', '-exec', 'cat', '{}', '+');
  return found.stdout.split('\n').filter((line) => line !== '');
}

/** Stops it well, and leaves no process of it. */
async function stopped(unit: string): Promise<void> {
  const group = await systemd.property(unit, 'ControlGroup');
  expect([unit, await processesOf(group)]).toEqual([unit, expect.arrayContaining([expect.stringMatching(/^\d+$/)])]);
  await systemd.systemctl('stop', unit);
  const state = await Promise.all(['ActiveState', 'Result'].map((name) => systemd.property(unit, name)));
  expect([unit, ...state]).toEqual([unit, 'inactive', 'success']);
  expect([unit, await processesOf(group)]).toEqual([unit, []]);
}

describe.skipIf(!canBoot())('the units of systemd', () => {
  beforeAll(async () => {
    postgres = await GivenPostgres.start();
    for (const name of ['muster', 'campaign', 'insight'])
      ports[name] = { people: await freePort(), handset: await freePort() };
    systemd = await PrivateSystemd.boot({
      'etc/muster/muster.env': envOf(ports.muster!),
      'etc/muster/scale.env': `DATABASE_URL=${postgres.url}\n`,
      'etc/muster/campaign.env': envOf(ports.campaign!),
      'etc/muster/insight.env': `MUSTER_PORT=${ports.insight!.people}\n`,
      'etc/muster/kek': randomBytes(32).toString('base64url'),
      'units/enrol.service': ENROL,
    });
  });
  afterAll(async () => {
    await systemd?.remove();
    await postgres?.remove();
  });

  it('have no fault that systemd knows of, and few ways out', async () => {
    for (const unit of readdirSync('deploy/systemd').filter((name) => name.endsWith('.service'))) {
      const { code, output } = await systemd.run('systemd-analyze', 'verify', '--man=no', `/units/${unit}`);
      expect({ unit, code, output }).toEqual({ unit, code: 0, output: '' });
      const security = ['security', '--offline=true', `--threshold=${EXPOSED}`, '--no-pager', `/units/${unit}`];
      const found = await systemd.run('systemd-analyze', ...security);
      expect({ unit, code: found.code }, found.output).toEqual({ unit, code: 0 });
    }
  });

  it('muster.service comes back from `start` when it answers, runs as nobody that is known, outlives a kill, and stops well', async () => {
    const { people, handset } = ports.muster!;
    await systemd.systemctl('start', 'muster.service');
    expect(await isReady(people)).toBe(true);
    const line = `muster is ready at http://127.0.0.1:${people} (handsets at https://127.0.0.1:${handset})`;
    await eventually(line, async () => (await systemd.said('muster.service')).includes(line) || undefined);
    const pid = await systemd.property('muster.service', 'MainPID');
    const owner = (await systemd.run('stat', '-c', '%U %a', '/var/lib/muster/')).stdout.trim();
    expect(owner).toBe('muster 700');
    const status = (await systemd.run('cat', `/proc/${pid}/status`)).stdout;
    expect(Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])).toBeGreaterThan(60_000);
    expect(/^CapEff:\s+(\w+)/m.exec(status)?.[1]).toMatch(/^0+$/);
    expect(/^NoNewPrivs:\s+(\d)/m.exec(status)?.[1]).toBe('1');
    await killed('muster.service', people);
    await stopped('muster.service');
  });

  it('muster-campaign.service and muster-insight.service share a key and a database that are given', async () => {
    for (const name of ['campaign', 'insight']) await systemd.systemctl('start', `muster-${name}.service`);
    for (const name of ['campaign', 'insight']) {
      expect([name, await isReady(ports[name]!.people)]).toEqual([name, true]);
      await killed(`muster-${name}.service`, ports[name]!.people);
    }
    await stopped('muster-insight.service');
    // And the folder of the archive, when insight is told to as README.md does.
    const [, section = ''] = readFileSync('deploy/systemd/README.md', 'utf8').split('## Insight and old facts');
    const [, block = ''] = /^```\n(.*?)^```$/ms.exec(section) ?? [];
    const pasted = await systemd.run('bash', '-e', '-c', block.replace('/etc/systemd/system', '/units'));
    expect(pasted).toMatchObject({ code: 0, output: '' });
    await systemd.systemctl('start', 'muster-insight.service');
    const folders = ['campaign', 'insight'].map(async (name) => {
      const pid = await systemd.property(`muster-${name}.service`, 'MainPID');
      return (await systemd.run('stat', '-L', '-c', '%u %i', `/proc/${pid}`, `/proc/${pid}/cwd`)).stdout.split('\n');
    });
    const [ofCampaign, ofInsight] = await Promise.all(folders);
    expect(ofInsight![1]).toBe(ofCampaign![1]); // its owner, and the same folder
    expect(ofInsight![1]!.split(' ')[0]).toBe(ofInsight![0]!.split(' ')[0]); // whose owner the process is
    for (const name of ['insight', 'campaign']) await stopped(`muster-${name}.service`);
  });

  it('muster-handset.service runs the agent of a handset that its own user has enrolled', async () => {
    await systemd.systemctl('start', 'muster.service');
    const { server, ca, code } = await enrolment();
    await systemd.systemctl('set-environment', `SERVER=${server}`, `CA=${ca}`, `CODE=${code}`);
    await systemd.systemctl('start', 'enrol.service');
    await systemd.systemctl('start', 'muster-handset.service');
    const starts = async () => [...(await systemd.said('muster-handset.service')).matchAll(/agent\.started/g)].length;
    await eventually('the agent has started', async () => (await starts()) === 1 || undefined);
    await killed('muster-handset.service', undefined);
    await eventually('the agent has started again', async () => (await starts()) === 2 || undefined);
    for (const unit of ['muster-handset.service', 'muster.service']) await stopped(unit);
  });

  it('muster.service starts on a disk that is low, and is left alone while it is unready for it', async () => {
    await systemd.systemctl('set-environment', 'MUSTER_DISK_LOW_BYTES=1000000000000000');
    await systemd.systemctl('start', 'muster.service');
    await systemd.systemctl('unset-environment', 'MUSTER_DISK_LOW_BYTES');
    expect(await readiness(ports.muster!.people)).toBe(503);
    expect(await systemd.property('muster.service', 'NRestarts')).toBe('0');
    await stopped('muster.service');
  });
});

/** What the line that enrols one handset at the server of the first test says. */
async function enrolment(): Promise<{ server: string; ca: string; code: string }> {
  const said = await systemd.said('muster.service');
  const [, email = '', tenant = '', password = ''] = /administrator\s+(\S+) of tenant (\S+)\s+password\s+(\S+)/.exec(
    said,
  )!;
  const url = `http://127.0.0.1:${ports.muster!.people}`;
  const ask = async (route: string, body?: object, token?: string) => {
    const headers = {
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'idempotency-key': randomBytes(16).toString('hex') }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const options = body === undefined ? { headers } : { method: 'POST', body: JSON.stringify(body), headers };
    return (await (await fetch(`${url}${route}`, options)).json()) as Record<string, string>;
  };
  const { token } = await ask('/v1/sessions', { tenant, email, password });
  const { code = '' } = await ask('/v1/enrolment-codes', {}, token);
  const { handsetUrl = '', caFingerprint = '' } = await ask('/v1/installation', undefined, token);
  return { server: handsetUrl, ca: caFingerprint, code };
}

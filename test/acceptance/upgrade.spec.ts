import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, temporaryFolder } from '../support/processes.js';
import {
  auditOf,
  Cli,
  Handset,
  onFolder,
  removeMade,
  removeServer,
  type Server,
  startServer,
} from '../support/server.js';

/*
 * Every release leaves a small backup below upgrade/<version>/, with its key, which is a test's and guards nothing, and what
 * people read in it. This program must start from each, migrate it, and show the same. `MUSTER_WRITE_UPGRADE=1` writes the
 * one of the present release.
 */

const HOME = path.resolve('test/acceptance/upgrade');
const folder = temporaryFolder('upgrade');
const at = (name: string): string => path.join(folder.path, name);
const servers: Server[] = [];
const made: string[] = [];

/** What people read, without what no two servers share. */
interface Shown {
  records: number;
  tenants: unknown;
  campaigns: unknown;
  progress: unknown;
  timelines: unknown;
}

const login = (home: string): { tenant: string; email: string; password: string } =>
  JSON.parse(readFileSync(path.join(home, 'login.json'), 'utf8')) as {
    tenant: string;
    email: string;
    password: string;
  };

async function shown(cli: Cli, records: number): Promise<Shown> {
  const campaigns = await cli.json<{ id?: string; campaignId?: string }[]>('campaign', 'list');
  const devices = await cli.json<{ id?: string; deviceId?: string }[]>('device', 'list');
  const ids = devices.map(({ id, deviceId }) => deviceId ?? id ?? '').sort();
  const progress = [];
  for (const { id, campaignId } of campaigns)
    progress.push(await cli.json('campaign', 'progress', campaignId ?? id ?? ''));
  const timelines = [];
  for (const id of ids)
    timelines.push((await cli.text('device', 'timeline', id, '--limit', '200', '--json')).trim().split('\n'));
  return { records, tenants: await cli.json('tenant', 'list'), campaigns, progress, timelines };
}

afterAll(async () => {
  for (const server of servers) await removeServer(server);
  for (const output of made) removeMade(output);
  folder.remove();
});

describe.skipIf(process.env.MUSTER_WRITE_UPGRADE === '1')('a backup of an earlier release', () => {
  const releases = readdirSync(HOME, { withFileTypes: true }).filter((entry) => entry.isDirectory());

  it('is there', () => expect(releases.map(({ name }) => name)).toContain('0.1.0'));

  it.each(releases.map(({ name }) => name))(
    'of %s is restored, migrated, equal to its log, and shows what it showed',
    async (release) => {
      const home = path.join(HOME, release);
      cpSync(path.join(home, 'test-kek'), at(`kek-${release}`));
      chmodSync(at(`kek-${release}`), 0o600); // a checkout keeps no modes
      const data = at(`${release}/data`);
      const restored = await onFolder({ data }, ['restore', path.join(home, 'backup'), '--kek', at(`kek-${release}`)]);
      made.push(restored.output);
      expect(restored.code, restored.output).toBe(0);
      turnClockBack(path.join(home, 'backup'), at(`${release}/clock`));
      const server = await startServer({ data });
      servers.push(server);
      const expected = JSON.parse(readFileSync(path.join(home, 'shown.json'), 'utf8')) as Shown;
      const { findings, records } = await auditOf(server);
      expect(findings).toEqual([]);
      expect(records).toBeGreaterThanOrEqual(expected.records); // the catalogue may be due again
      const cli = await new Cli(server, at(`manager-${release}`)).login(login(home));
      await eventually('the read models', async () => (await caughtUp(cli)) || undefined);
      expect(without(await shown(cli, records))).toEqual(without(asShownNow(expected)));
    },
  );
});

/** A minute after the backup, for as long as signatures and certificates of that time are to be good. */
function turnClockBack(backup: string, clockFile: string): void {
  const { createdAt } = JSON.parse(readFileSync(path.join(backup, 'manifest.json'), 'utf8')) as { createdAt: string };
  writeFileSync(clockFile, String(Date.parse(createdAt) + 60_000 - Date.now()));
}

/** What has come to be shown of a campaign since, as it was before there was any of it. */
const SINCE = {
  ...{ waves: [], class: 'normal', stopRules: [], conflictGroup: null },
  caps: { transfers: null, bytesPerSecond: null, bytesPerDay: null },
  timeouts: { transferMinutes: null, confirmMinutes: null },
  ...{ authors: [], approvals: [], required: 0, parent: null, undoable: null, dryRun: null },
};
const asShownNow = (then: Shown): Shown => ({
  ...then,
  campaigns: (then.campaigns as object[]).map((campaign) => ({ ...SINCE, ...campaign })),
});

const without = ({ records: _, ...rest }: Shown): Omit<Shown, 'records'> => rest;
const caughtUp = async (cli: Cli): Promise<boolean> =>
  (await cli.json<{ lagEvents: number }[]>('projection', 'list')).every(({ lagEvents }) => lagEvents === 0);

describe.runIf(process.env.MUSTER_WRITE_UPGRADE === '1')('the backup of this release', () => {
  it('is written', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const home = path.join(HOME, version);
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    const server = await startServer({ data: at('data') });
    servers.push(server);
    const cli = await new Cli(server, at('manager')).login();
    await live(cli, server);
    const { findings, records } = await auditOf(server);
    expect(findings).toEqual([]);
    writeFileSync(path.join(home, 'shown.json'), `${JSON.stringify(await shown(cli, records), null, 2)}\n`);
    writeFileSync(path.join(home, 'login.json'), `${JSON.stringify(server.administrator)}\n`);
    const saved = await onFolder(server, ['backup', path.join(home, 'backup')]);
    expect(saved.code, saved.output).toBe(0);
    cpSync(path.join(server.data, 'keys', 'kek'), path.join(home, 'test-kek'));
  });

  /** A little of everything that a release can record. */
  async function live(cli: Cli, server: Server): Promise<void> {
    const file = (name: string, text: string | object): string => {
      writeFileSync(at(name), typeof text === 'string' ? text : JSON.stringify(text));
      return at(name);
    };
    const attributes = { model: { type: 'string' }, memoryFree: { type: 'int' } };
    await cli.text('schema', 'publish', file('schema.json', { attributes }));
    const selector = 'device.model.startsWith("MX-")';
    const bytes = file('radio.bin', 'bytes of a content '.repeat(100));
    const { contentId } = await cli.json<{ contentId: string }>('content', 'publish', bytes, '--selector', selector);
    const draft = ['draft', '--name', 'Radio', '--content', contentId];
    const { campaignId } = await cli.json<{ campaignId: string }>('campaign', ...draft);
    await cli.text('campaign', 'schedule', campaignId);
    await cli.text('campaign', 'draft', '--name', 'Later', '--content', contentId);
    const devices: string[] = [];
    for (const [name, model] of [
      ['fits', 'MX-1'],
      ['other', 'QZ-1'],
      ['gone', 'MX-2'],
    ] as const)
      devices.push(await visit(cli, server, name, { model, memoryFree: 1 }));
    await cli.text('device', 'forget', devices[2]!, '--reason', 'asked by its owner');
    const secret = file('password', 'correct horse battery');
    await cli.text('tenant', 'add', 'acme', '--email', 'root@acme.test', '--password-file', secret);
    await eventually('the funnel', async () => {
      const { funnel } = await cli.json<{ funnel: { installed: number } }>('campaign', 'progress', campaignId);
      return funnel.installed === 2 && (await caughtUp(cli)) ? true : undefined;
    });
  }

  async function visit(cli: Cli, server: Server, name: string, attributes: object): Promise<string> {
    const handset = new Handset(name, folder.path, { MUSTER_TEST_CLOCK: server.clockFile });
    const { line } = await cli.json<{ line: string }>('device', 'code', '--label', name);
    await handset.text(...line.split(' ').slice(2));
    writeFileSync(path.join(handset.folder, 'attributes.json'), JSON.stringify(attributes));
    const args = ['--attributes', path.join(handset.folder, 'attributes.json'), '--reserve', '1024'];
    for (let polls = 0; polls < 3; polls += 1) await handset.text('poll', ...args);
    return (JSON.parse(await handset.text('status')) as { deviceId: string }).deviceId;
  }
});

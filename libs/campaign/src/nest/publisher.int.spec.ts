import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Module } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, eventCatalog, type EventContext, PostgresLog, ProjectionRunner } from '#event-log/index.js';
import { Databases, EventLogModule, eventLogMigrations, TailLog } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { Bootstrap, IdentityModule, identityMigrations } from '#identity/nest/identity.module.js';
import { newId, silentLog, systemClock } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { PLAIN_SETTINGS } from '../plain-settings.js';
import { campaignDefinitions, campaignMigrations, CampaignModule, campaignProjections } from './campaign.module.js';
import { Channels } from './channels.js';
import { Publisher } from './publisher.js';
import { RepositoryKeeper } from './repository-keeper.js';
import { RunCampaign } from './run-campaign.handler.js';
import { publishedDigests } from './unreferenced-bytes.js';

const tenant = 'acme';
const context = (): EventContext => ({ tenant, actor: 'person:p', commandId: newId() });
const contentId = newId();

let database: TestDatabase;
let folder: string;
const servers: MusterServer[] = [];

/** One instance of the service, as far as its rooms go; two of them share the database. */
async function instance(): Promise<MusterServer> {
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions, deviceDefinitions, ...campaignDefinitions]);
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock: systemClock, log: silentLog }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog }),
      IdentityModule.forRoot(),
      CampaignModule.forRoot({ dataDir: folder, showOnce: () => undefined }),
    ],
  })
  class App {}
  const server = await createServer(App, { log: silentLog });
  servers.push(server);
  return server;
}

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations, ...campaignMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-publisher-'));
  await instance();
  await instance();
  const login = { tenant, email: 'root@acme.test', password: 'correct horse battery' };
  await servers[0]!.app.get(Bootstrap).bootstrapAdministrator(login);
  const published = {
    contentId,
    description: { name: 'n', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
    selector: 'true',
    sha256: '5e'.repeat(32),
    sizeBytes: 5,
  };
  const event = { type: 'ContentPublished', data: published };
  await servers[0]!.app.get(PostgresLog).append('muster.content', { subject: contentId }, [event], context());
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function launch(server: MusterServer): Promise<void> {
  const campaignId = newId();
  const data = {
    campaignId,
    name: 'c',
    channel: 'main',
    contents: [contentId],
    mode: 'device' as const,
    selector: 'true',
    start: null,
    end: null,
    windows: [],
    waveUpTo: 10_000,
    holdOut: 0,
    salt: 's',
    priority: 1,
    ...PLAIN_SETTINGS,
  };
  const commands = server.app.get(CommandBus);
  await commands.execute(new RunCampaign({ type: 'DraftCampaign', data }, context()));
  await commands.execute(new RunCampaign({ type: 'ScheduleCampaign', data: { campaignId } }, context()));
  await server.app.get(Publisher).publish(tenant, 'main');
}

const inTenant = <R extends object>(of: Database, sql: string): Promise<R[]> =>
  of.inTenant(tenant, (tx) => tx.query<R>(sql));
const versions = async (role: string) => {
  const sql = `select version from ops.tuf_file where role = '${role}' order by version`;
  return (await inTenant<{ version: number }>(database.database('muster_campaign'), sql)).map(({ version }) => version);
};

it('every digest that a log names is known to the sweep of contents', async () =>
  expect(await publishedDigests(database.database('muster_tail'))).toEqual(new Set(['5e'.repeat(32)])));

describe('two instances', () => {
  it('make the first channel once', async () => {
    await launch(servers[0]!);
    expect(await servers[1]!.app.get(Channels).names(tenant)).toEqual(new Set(['main']));
    expect(await versions('root')).toEqual([1]);
  });

  it('publishing at once leave no gap and no version twice, and one event a snapshot', async () => {
    await Promise.all(Array.from({ length: 6 }, (_, i) => launch(servers[i % 2]!)));
    const snapshots = await versions('snapshot');
    expect(snapshots).toEqual(Array.from({ length: snapshots.length }, (_, i) => i + 1));
    const log = servers[0]!.app.get(PostgresLog);
    const events = await log.readStream('muster.campaign', tenant, 'catalogue:main');
    expect(events.map(({ data }) => (data as { version: number }).version)).toEqual(snapshots);
    const last = events.at(-1)?.data as { campaigns: string[] };
    expect(last.campaigns).toHaveLength(7);
  });

  it('say of nothing new that nothing was published', async () =>
    expect(await servers[1]!.app.get(Publisher).publish(tenant, 'main')).toBe(false));
});

describe('targets', () => {
  it('that nothing names any more go after a week; a slow handset finds what it is reading until then', async () => {
    const actor = database.database('muster_campaign');
    const insert = (name: string, days: number) =>
      actor.inTenant(tenant, (tx) =>
        tx.query(
          `insert into ops.tuf_file (tenant, channel, name, bytes, sha256, created_at) values ($1, 'main', $2, '', '', $3)`,
          [tenant, name, new Date(Date.now() - days * 86_400_000)],
        ),
      );
    await insert('targets/rules/old.0', 8);
    await insert('targets/rules/young.0', 6);
    const names = async () =>
      (await inTenant<{ name: string }>(actor, 'select name from ops.tuf_file where role is null')).map(
        ({ name }) => name,
      );
    const before = await names();
    await servers[0]!.app.get(RepositoryKeeper).rotate(context(), 'main', 'grant');
    const after = await names();
    expect(after).not.toContain('targets/rules/old.0');
    expect(after).toContain('targets/rules/young.0');
    expect(after).toEqual(expect.arrayContaining(before.filter((name) => name !== 'targets/rules/old.0')));
  });
});

describe('a publication that fails', () => {
  it('leaves the repository as it was', async () => {
    const before = await inTenant(
      database.database('muster_campaign'),
      'select name, sha256 from ops.tuf_file order by 1',
    );
    const publisher = servers[0]!.app.get(Publisher);
    const failing = publisher.publish(tenant, 'main', async ({ tx }) => {
      await tx.query(`delete from ops.tuf_file where tenant = $1 and role = 'snapshot'`, [tenant]);
      throw new Error('cut off');
    });
    await expect(failing).rejects.toThrow('cut off');
    const after = await inTenant(
      database.database('muster_campaign'),
      'select name, sha256 from ops.tuf_file order by 1',
    );
    expect(after).toEqual(before);
  });
});

describe('the operational rows', () => {
  it.each(['channel', 'tuf_key', 'tuf_file'])('of ops.%s are not there for another tenant', async (table) => {
    const actor = database.database('muster_campaign');
    expect((await inTenant(actor, `select 1 as one from ops.${table}`)).length).toBeGreaterThan(0);
    const foreign = await actor.inTenant('other', (tx) => tx.query(`select 1 as one from ops.${table}`));
    expect(foreign).toEqual([]);
    expect(await actor.query(`select 1 as one from ops.${table}`)).toEqual([]);
  });

  it('hold no private key that opens without passphrase or key-encryption key', async () => {
    const actor = database.database('muster_campaign');
    const keys = await inTenant<{ role: string; sealed: string | null; public: object }>(
      actor,
      'select role, sealed, public from ops.tuf_key',
    );
    expect(keys.filter(({ role }) => role === 'root' || role === 'targets')).toHaveLength(6);
    for (const { role, sealed, public: shown } of keys) {
      expect(sealed === null).toBe(role !== 'root' && role !== 'targets');
      expect(shown).not.toHaveProperty('d');
    }
  });
});

describe('the read models', () => {
  it('are rebuilt equal', async () => {
    const { projector } = servers[0]!.app.get(Databases);
    const source = servers[0]!.app.get(TailLog);
    const runner = new ProjectionRunner({ database: projector, source, projections: campaignProjections });
    await runner.start();
    await runner.whenCaughtUp();
    expect(await runner.verify('campaign')).toEqual({ equal: true });
    expect(await runner.verify('content')).toEqual({ equal: true });
    await runner.stop();
    const rows = await inTenant<{ n: number }>(
      database.database('muster_insight'),
      `select count(*) as n from proj.p_campaign_v3 where status = 'running'`,
    );
    expect(rows).toEqual([{ n: 7 }]);
  });
});

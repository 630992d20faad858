import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { GivenPostgres } from '../support/given-postgres.js';
import { Installation } from '../support/installation.js';
import { knowDevices } from '../support/known-devices.js';
import { eventually } from '../support/processes.js';
import type { Cost } from './figures.js';
import { bench } from './harness.js';

/*
 * From the order to launch a campaign to its offers in the signed catalogue and in what the server selects from, in a tenant
 * that knows so many devices. Nothing is written for each of them: an offer comes to exist when a device asks.
 */

const DEVICES = [1_000, 100_000, 1_000_000] as const;
const LOOK_MS = 20;

let postgres: GivenPostgres;
let muster: Installation;
let sql: pg.Client;
const tenants = new Map<number, { name: string; admin: string; contentId: string }>();
/** The most rows that any launch has written anywhere, by size. */
const written = new Map<number, number>();

beforeAll(async () => {
  postgres = await GivenPostgres.start();
  // The time is the machine's: a test's clock is a file, read at each look.
  muster = await Installation.start('bench-launch', { MUSTER_TEST_CLOCK: '', DATABASE_URL: postgres.url });
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query('create table public.target (device_id uuid primary key, campaign_id uuid, status text)');
  for (const count of DEVICES) {
    const name = `of-${count}`;
    const admin = await muster.addTenant(name);
    await muster.ok('GET', '/v1/channels', { token: admin });
    const contentId = await muster.publish(Buffer.from('content'), admin);
    await knowDevices(sql, name, count);
    tenants.set(count, { name, admin, contentId });
  }
}, 900_000);
afterAll(async () => {
  await sql?.end();
  await muster?.stop({ isSound: false }); // its devices stand in no log
  await postgres?.remove();
});

async function launch(count: number): Promise<Cost> {
  const { name, admin, contentId } = tenants.get(count)!;
  const campaignId = await muster.draft([contentId], { mode: 'either' }, admin);
  const before = await rows();
  const begun = performance.now();
  await muster.schedule(campaignId, admin);
  await eventually('a catalogue and a selection that hold it', async () => {
    const { rows: found } = await sql.query<{ type: string }>(
      `select distinct type from log.record where tenant = $1 and strpos(data::text, $2) > 0
       and type in ('muster.campaign.catalogue-published.v1', 'muster.campaign.selection-changed.v1')`,
      [name, campaignId],
    );
    if (found.length === 2) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return undefined;
  });
  const seconds = (performance.now() - begun) / 1_000;
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // Postgres counts what is written once a second
  written.set(count, Math.max(written.get(count) ?? 0, (await rows()) - before));
  return { count: 1, seconds };
}

/** Written in the database so far. */
async function rows(): Promise<number> {
  const { rows: found } = await sql.query<{ written: string }>(
    'select tup_inserted + tup_updated as written from pg_stat_database where datname = current_database()',
  );
  return Number(found[0]!.written);
}

/** What a rollout elsewhere begins with: a row a device. */
async function writeTargets(count: number): Promise<Cost> {
  const begun = performance.now();
  await sql.query(
    `insert into public.target select device_id, device_id, 'scheduled' from ops.device where tenant = $1`,
    [tenants.get(count)!.name],
  );
  const seconds = (performance.now() - begun) / 1_000;
  await sql.query('truncate public.target');
  return { count: 1, seconds };
}

bench({
  name: 'launch',
  load: 'A campaign of one content, mode either, from its order to the signed catalogue and the selection that hold it, through the HTTP API of `npm start`; beside it, in the same Postgres, one statement that writes a row a device',
  unit: 'launch',
  clock: 'wall',
  sizes: { of: 'devices known', values: DEVICES },
  contenders: [
    { name: 'launch', run: launch },
    { name: 'bare insert of a row a device', run: writeTargets },
  ],
  goals: [],
  slopesBelow: { launch: 0.1 },
  notes: () => [
    `Rows that a launch wrote, whatever its tables: ${[...written].map(([size, count]) => `${count} at ${size}`).join(', ')}.`,
  ],
});

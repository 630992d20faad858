import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  beginLoad,
  Database,
  homeFolder,
  Keyring,
  loadKek,
  loadRows,
  migrate,
  type Position,
  PROBE,
} from '#event-log/index.js';
import { provisionAnalyst } from '#insight/index.js';
import { flush, type Log } from '#runtime/index.js';
import { brokersOf, loadConfig } from '#runtime/nest/runtime.module.js';
import { archiveFolder, RESTORING, takeDataFolder } from '../data-folder.js';
import { derived, MusterConfig } from '../muster.config.js';
import { migrations } from '../rooms.js';
import { DATABASE, openStore, type Store } from '../store.js';
import {
  archiveFile,
  BackupError,
  contentFile,
  copyContent,
  type Manifest,
  readManifest,
  readTable,
  tableFile,
} from './backup-folder.js';
import { KafkaTarget } from './kafka-backup.js';
import { requireKnown } from './open.js';

export interface Restored {
  manifest: Manifest;
  data: string;
  /** Connection URLs of analysts by tenant, whose passwords are new and kept nowhere. */
  analysts: Record<string, string>;
  /** Facts in Kafka that are newer than the backup; they stay, and count. */
  newerFacts: number;
}

/**
 * Fills an empty data folder, or an empty database, from a backup: tables as they were at its release, which the next
 * start migrates; read models are made anew then. Facts of devices that Kafka lacks are produced again; relayed topics are
 * filled by the relay of the next start. Everything is looked at before anything is written.
 */
export async function restore(
  folder: string,
  kekSource: string | undefined,
  env: NodeJS.ProcessEnv,
  log: Log,
): Promise<Restored> {
  const config = loadConfig(MusterConfig, env);
  const { data, kekFile } = derived(config);
  const manifest = await readManifest(folder);
  requireKnown(manifest.migrations);
  const kek = await checkedKek(folder, manifest, path.resolve(kekSource ?? kekFile));
  if (existsSync(data) && readdirSync(data).length > 0)
    throw new BackupError(
      'restore.not-empty',
      { data },
      `${data} is not empty: a backup is restored into an empty folder`,
    );
  const saved = { folder, manifest };
  const kafka = await KafkaTarget.open(brokersOf(config), saved, log);
  const giveBack = takeDataFolder(data);
  try {
    writeFileSync(path.join(data, RESTORING), '', { flush: true });
    await placeFiles(saved, data);
    if (!existsSync(kekFile)) placeKek(path.resolve(kekSource ?? kekFile), kekFile);
    await kafka?.fill(saved); // before the rows: what is cut off here can be repeated
    const store = await openStore({ data, databaseUrl: config.databaseUrl, kek, log });
    try {
      const analysts = await fill(store, config, { ...saved, relayed: kafka?.relayed, log });
      rmSync(path.join(data, RESTORING));
      await flush(data);
      return { manifest, data, analysts, newerFacts: kafka?.newerFacts ?? 0 };
    } finally {
      await store.stop();
    }
  } catch (error) {
    clear(data);
    throw error;
  } finally {
    giveBack();
    await kafka?.close();
  }
}

/** What another Kafka had acknowledged says nothing of this one. */
const NOTE_RELAYED = `update log.relay set next_off = coalesce(($1::jsonb->>(topic || '/' || part))::bigint, 0)`;

/** @throws BackupError `restore.kek-missing`, `restore.kek-wrong` */
async function checkedKek(folder: string, { tables }: Manifest, kekFile: string): Promise<Uint8Array> {
  if (!existsSync(kekFile))
    throw new BackupError(
      'restore.kek-missing',
      { kekFile },
      'the key-encryption key is kept apart: name its file by --kek',
    );
  const kek = loadKek(kekFile);
  const columns = tables.find(({ table }) => table === 'ops.keyring')?.columns.map(({ name }) => name) ?? [];
  const [tenant, purpose, id, wrapped] = ['tenant', 'purpose', 'id', 'wrapped'].map((name) => columns.indexOf(name));
  for await (const page of readTable(tableFile(folder, 'ops.keyring')))
    for (const row of page)
      if (row[tenant!] === PROBE.tenant && row[purpose!] === PROBE.purpose && row[id!] === PROBE.id)
        if (Keyring.opens(kek, Buffer.from((row[wrapped!] ?? '').replace('\\x', ''), 'hex'))) return kek;
  throw new BackupError('restore.kek-wrong', { kekFile }, `${kekFile} is not the key-encryption key of this backup`);
}

async function placeFiles({ folder, manifest }: { folder: string; manifest: Manifest }, data: string): Promise<void> {
  for (const { sha256 } of manifest.contents)
    await copyContent(contentFile(folder, sha256), path.join(data, 'contents', sha256.slice(0, 2), sha256), sha256);
  for (const { file, sha256 } of manifest.archives ?? [])
    await copyContent(archiveFile(folder, file), path.join(archiveFolder(data), file), sha256);
}

function placeKek(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true, mode: 0o700 });
  copyFileSync(from, to);
}

async function fill(
  store: Store,
  config: MusterConfig,
  { folder, manifest, relayed, log }: { folder: string; manifest: Manifest; relayed: Position | undefined; log: Log },
): Promise<Record<string, string>> {
  const url = new URL(config.databaseUrl ?? store.superuserUrl);
  if (config.databaseUrl === undefined) url.pathname = `/${DATABASE}`;
  const superuser = new Database(url.href, { max: 2, applicationName: 'muster restore', log });
  try {
    const [used] = await superuser.query<{ is: boolean }>(`select to_regclass('ops.migration') is not null as is`);
    if (used?.is === true) throw new BackupError('restore.not-empty', {}, 'the database holds an installation already');
    const done = migrations.filter((Each) => manifest.migrations.includes(new Each().name ?? Each.name));
    await migrate(store.url('muster_owner'), done, log);
    await superuser.transaction(async (tx) => {
      await beginLoad(tx, manifest.tables);
      for (const shape of manifest.tables)
        for await (const rows of readTable(tableFile(folder, shape.table))) await loadRows(tx, shape, rows);
      if (relayed !== undefined) await tx.query(NOTE_RELAYED, [relayed]);
    });
  } finally {
    await superuser.end();
  }
  return analystsOf(store, manifest.analysts);
}

async function analystsOf(store: Store, tenants: readonly string[]): Promise<Record<string, string>> {
  const owner = new Database(store.url('muster_owner'), { max: 1, applicationName: 'muster restore' });
  try {
    const urls: Record<string, string> = {};
    for (const tenant of tenants) urls[tenant] = await provisionAnalyst(owner, tenant, store.url('muster_insight'));
    return urls;
  } finally {
    await owner.end();
  }
}

/** Of a restore that failed: all of it was made by this process. A key that was there before stays. */
function clear(data: string): void {
  for (const name of readdirSync(data)) rmSync(path.join(data, name), { recursive: true, force: true });
  if (homeFolder(data) !== data) rmSync(homeFolder(data), { recursive: true, force: true });
}

import path from 'node:path';
import { Database, loadKek, migrate } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { CertificateAuthority, identityMigrations } from '#identity/nest/identity.module.js';
import { publishViews } from '#insight/index.js';
import { insightMigrations } from '#insight/nest/insight.module.js';
import { type Log, processClock } from '#runtime/index.js';
import { brokersOf, createServer } from '#runtime/nest/runtime.module.js';
import { archiveFolder } from '../../muster/src/data-folder.js';
import { openStore, type Store, urlsOf } from '../../muster/src/store.js';
import type { InsightConfig } from './insight.config.js';
import { InsightAppModule } from './insight-app.module.js';

export interface RunningInsight {
  url: string;
  stop(): Promise<void>;
}

const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

/** Brings the read side up on a given Postgres; what is up goes down again when a later step fails. */
export async function startInsight(config: InsightConfig, log: Log): Promise<RunningInsight> {
  const { host, port, hosts, databaseUrl, kekFile, data } = config;
  const kek = loadKek(kekFile);
  const patienceMs = config.startPatienceSeconds * 1_000;
  const store = await openStore({ data: '', databaseUrl, kek, log, patienceMs });
  await migrate(store.url('muster_owner'), [...eventLogMigrations, ...identityMigrations, ...insightMigrations], log);
  const isPlain = LOOPBACK.test(host);
  const module = InsightAppModule.forRoot({
    clock: processClock(),
    log,
    urls: urlsOf(store),
    kek,
    kekFile,
    brokers: brokersOf(config),
    patienceMs,
    archive: archiveFolder(path.resolve(data)),
  });
  const server = await createServer(module, { log, peopleTls: !isPlain });
  try {
    await showToAnalysts(store);
    const tls = isPlain ? undefined : await server.app.get(CertificateAuthority).serverTls([host, ...hosts]);
    const ports = await server.listen({ people: { host, port, tls } });
    const url = `${isPlain ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${ports.people}`;
    return { url, stop: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The read models' tables are there once the server is made. */
async function showToAnalysts(store: Store): Promise<void> {
  const owner = new Database(store.url('muster_owner'), { max: 1, applicationName: 'muster owner' });
  try {
    await publishViews(owner);
  } finally {
    await owner.end();
  }
}

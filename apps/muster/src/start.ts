import { readFileSync } from 'node:fs';
import { FirstChannel } from '#campaign/nest/campaign.module.js';
import { Database, loadKek, migrate } from '#event-log/index.js';
import { Bootstrap } from '#identity/nest/identity.module.js';
import { provisionAnalyst, publishViews } from '#insight/index.js';
import { type Log, processClock } from '#runtime/index.js';
import { brokersOf, createServer } from '#runtime/nest/runtime.module.js';
import { keepBrokers } from './brokers-file.js';
import { consolePages } from './console-pages.js';
import { takeDataFolder } from './data-folder.js';
import { administrators, FirstStart, type FirstLogin } from './first-start.js';
import { type Addresses, listen } from './listen.js';
import { derived, type MusterConfig } from './muster.config.js';
import { MusterModule } from './muster.module.js';
import { migrations } from './rooms.js';
import { openStore, type Store, urlsOf } from './store.js';

export interface RunningMuster extends Addresses {
  /** On the first start only. */
  first: { login: FirstLogin; analystUrl: string } | undefined;
  firstShown(): void;
  /** Resolves when the database that was started here has died: stop, and let whoever watches start anew. */
  databaseDied: Promise<void>;
  stop(): Promise<void>;
}

/** Brings everything up in the order in which it depends on each other; what is up goes down again when a later step fails. */
export async function startMuster(
  config: MusterConfig,
  { log, showOnce }: { log: Log; showOnce: (line: string) => void },
): Promise<RunningMuster> {
  const { data, kekFile, isLoopback } = derived(config);
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    undo.push(takeDataFolder(data));
    const firstStart = new FirstStart(data);
    const kek = loadKek(kekFile);
    const patienceMs = config.startPatienceSeconds * 1_000;
    const store = await openStore({ data, databaseUrl: config.databaseUrl, kek, log, patienceMs });
    undo.push(() => store.stop());
    await migrate(store.url('muster_owner'), migrations, log);
    const urls = urlsOf(store);
    const { handsetLeastPerSecond, pollIntervalSeconds, privateTargets } = config;
    const module = MusterModule.forRoot({
      clock: processClock(),
      log,
      about: about(),
      urls,
      kek,
      kekFile,
      data,
      disks: { lowBytes: config.diskLowBytes, databaseFolder: store.folder },
      brokers: brokersOf(config),
      patienceMs,
      campaign: { pollIntervalSeconds, privateTargets, showOnce },
    });
    const server = await createServer(module, {
      log,
      peopleTls: !isLoopback,
      handsetLeastPerSecond,
      pages: consolePages(),
    });
    undo.push(() => server.close());
    keepBrokers(data, brokersOf(config));
    const login = await firstStart.settle(administrators(server.app.get(Bootstrap)));
    const analystUrl = await settleAnalysts(store, login?.tenant);
    const { addresses, stopRenewing } = await listen(server, config);
    undo.push(stopRenewing);
    // Before anyone is told that it is ready: what is shown once comes together, and the first handset finds its catalogue.
    if (login !== undefined) await server.app.get(FirstChannel).ensure(login.tenant);
    const first = login === undefined || analystUrl === undefined ? undefined : { login, analystUrl };
    return { ...addresses, first, firstShown: () => firstStart.shown(), databaseDied: store.died, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Views over the read models, which the start has made; and on the first start a login for the tenant's analysts. */
async function settleAnalysts(store: Store, tenant: string | undefined): Promise<string | undefined> {
  const owner = new Database(store.url('muster_owner'), { max: 1, applicationName: 'muster start' });
  try {
    await publishViews(owner);
    return tenant === undefined ? undefined : await provisionAnalyst(owner, tenant, store.url('muster_insight'));
  } finally {
    await owner.end();
  }
}

function about(): { name: string; version: string } {
  const manifest = new URL('../../../../package.json', import.meta.url);
  return { name: 'muster', version: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version };
}

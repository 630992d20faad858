import { mkdirSync } from 'node:fs';
import { loadKek, migrate } from '#event-log/index.js';
import { Bootstrap } from '#identity/nest/identity.module.js';
import { type Log, processClock } from '#runtime/index.js';
import { brokersOf, createServer } from '#runtime/nest/runtime.module.js';
import { consolePages } from '../../muster/src/console-pages.js';
import { administrators, type FirstLogin, FirstStart } from '../../muster/src/first-start.js';
import { type Addresses, listen } from '../../muster/src/listen.js';
import { derived, MusterConfig } from '../../muster/src/muster.config.js';
import { migrations } from '../../muster/src/rooms.js';
import { openStore, urlsOf } from '../../muster/src/store.js';
import { CampaignAppModule } from './campaign-app.module.js';
import type { CampaignConfig } from './campaign.config.js';

export interface RunningCampaign extends Addresses {
  /** On the first start of an installation only. */
  firstLogin: FirstLogin | undefined;
  firstShown(): void;
  stop(): Promise<void>;
}

/** Brings the service up on a given Postgres; what is up goes down again when a later step fails. */
export async function startCampaign(
  config: CampaignConfig,
  { log, showOnce }: { log: Log; showOnce: (line: string) => void },
): Promise<RunningCampaign> {
  const settings = Object.assign(new MusterConfig(), config);
  const { data, kekFile, isLoopback } = derived(settings);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const kek = loadKek(kekFile);
  const patienceMs = config.startPatienceSeconds * 1_000;
  const store = await openStore({ data, databaseUrl: config.databaseUrl, kek, log, patienceMs });
  await migrate(store.url('muster_owner'), migrations, log);
  const { pollIntervalSeconds, privateTargets, handsetLeastPerSecond } = config;
  const campaign = { dataDir: data, pollIntervalSeconds, privateTargets, showOnce };
  const module = CampaignAppModule.forRoot({
    clock: processClock(),
    log,
    urls: urlsOf(store),
    kek,
    kekFile,
    brokers: brokersOf(config),
    patienceMs,
    diskLowBytes: config.diskLowBytes,
    campaign,
  });
  const server = await createServer(module, {
    log,
    peopleTls: !isLoopback,
    handsetLeastPerSecond,
    pages: consolePages(),
  });
  try {
    const first = new FirstStart(data);
    const firstLogin = await first.settle(administrators(server.app.get(Bootstrap)));
    const { addresses, stopRenewing } = await listen(server, settings);
    const stop = async () => {
      stopRenewing();
      await server.close();
    };
    return { ...addresses, firstLogin, firstShown: () => first.shown(), stop };
  } catch (error) {
    await server.close();
    throw error;
  }
}

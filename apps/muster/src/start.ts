import { readFileSync } from 'node:fs';
import { loadKek, migrate } from '#event-log/index.js';
import { Bootstrap } from '#identity/nest/identity.module.js';
import { type Log, processClock } from '#runtime/index.js';
import { createServer } from '#runtime/nest/runtime.module.js';
import { takeDataFolder } from './data-folder.js';
import { FirstStart, type FirstLogin } from './first-start.js';
import { type Addresses, listen } from './listen.js';
import { derived, type MusterConfig } from './muster.config.js';
import { MusterModule } from './muster.module.js';
import { migrations } from './rooms.js';
import { openStore } from './store.js';

export interface RunningMuster extends Addresses {
  /** On the first start only. */
  firstLogin: FirstLogin | undefined;
  firstLoginShown(): void;
  stop(): Promise<void>;
}

/** Brings everything up in the order in which it depends on each other; what is up goes down again when a later step fails. */
export async function startMuster(config: MusterConfig, log: Log): Promise<RunningMuster> {
  const { data, kekFile, isLoopback } = derived(config);
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    undo.push(takeDataFolder(data));
    const firstStart = new FirstStart(data);
    const kek = loadKek(kekFile);
    const store = await openStore({ data, databaseUrl: config.databaseUrl, kek, log });
    undo.push(() => store.stop());
    await migrate(store.url('muster_owner'), migrations, log);
    const urls = {
      actor: store.url('muster_campaign'),
      tail: store.url('muster_tail'),
      projector: store.url('muster_projector'),
      insight: store.url('muster_insight'),
    };
    const module = MusterModule.forRoot({ clock: processClock(), log, about: about(), urls, kek, kekFile });
    const server = await createServer(module, { log, peopleTls: !isLoopback });
    undo.push(() => server.close());
    const firstLogin = await firstStart.settle((login) => server.app.get(Bootstrap).bootstrapAdministrator(login));
    const { addresses, stopRenewing } = await listen(server, config);
    undo.push(stopRenewing);
    return { ...addresses, firstLogin, firstLoginShown: () => firstStart.shown(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function about(): { name: string; version: string } {
  const manifest = new URL('../../../../package.json', import.meta.url);
  return { name: 'muster', version: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version };
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brokersOf } from '#runtime/nest/runtime.module.js';
import type { MusterConfig } from './muster.config.js';

const FILE = 'kafka.brokers';

/** Keeps for commands that work on the folder what the server was given, e.g. by `npm start -- --kafka`. */
export function keepBrokers(data: string, brokers: readonly string[] | undefined): void {
  if (brokers !== undefined) writeFileSync(path.join(data, FILE), `${brokers.join(',')}\n`, { mode: 0o600 });
}

/** Brokers of the settings; where no setting says who keeps the log, those of the server's last start on this folder. */
export function brokersFor(config: MusterConfig, env: NodeJS.ProcessEnv, data: string): readonly string[] | undefined {
  const file = path.join(data, FILE);
  const isSet = [env.MUSTER_LOG, env.KAFKA_BROKERS].some((setting) => setting !== undefined && setting !== '');
  return isSet || !existsSync(file) ? brokersOf(config) : readFileSync(file, 'utf8').trim().split(',');
}

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ExchangeSide } from '#handset/index.js';

/** Options of the command line that every command shares, as commander gives them. */
export interface SharedOptions {
  folder: string;
  attributes?: string;
  collect?: string;
  choose?: string;
  mayStart?: string;
  verify?: string;
  install?: string;
  process?: string;
  hookTimeout: string;
  minBattery: string;
  meteredLimit: string;
  reserve: string;
  zone?: string;
  exchange: ExchangeSide;
  /** Of the local door for wakes; only of a running agent. */
  wakePort?: string;
}

/** Where the handset keeps what it is: `MUSTER_HANDSET_DATA`, or a folder in the working directory. */
export const defaultFolder = (env: NodeJS.ProcessEnv): string => env.MUSTER_HANDSET_DATA ?? '.muster-handset';

/**
 * Where the running agent listens. A socket's path is at most about 100 bytes on every system, and those of
 * who contends for the folder are 10 longer: that of a deeper folder is
 * named by its digest in the system's temporary folder.
 */
export function socketPath(folder: string): string {
  const path = join(resolve(folder), 'agent.sock');
  if (Buffer.byteLength(path) <= 90) return path;
  const digest = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 32);
  return join(tmpdir(), `muster-handset-${digest}.sock`);
}

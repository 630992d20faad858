import { rmSync } from 'node:fs';
import path from 'node:path';
import { Api } from '../cli/api.js';
import type { Context } from '../cli/command.js';
import { CliError } from '../cli/exit-codes.js';
import { type Child, PROGRAMS, startChild } from './children.js';

const START_MS = 60_000;

/** The server that the demo runs on: the one that you are logged in to, or a temporary one of its own. */
export async function installationFor(
  { api, signal }: Context,
  folder: string,
): Promise<{ api: Api; own: Child | undefined }> {
  const mine = await canUse(api);
  return mine ? { api, own: undefined } : startOwn(folder, signal);
}

async function canUse(api: Api): Promise<boolean> {
  if (api.options.token === undefined) return false;
  try {
    await api.get('/v1/me');
    return true;
  } catch (error) {
    if (error instanceof CliError) return false; // not there, or the session has ended
    throw error;
  }
}

async function startOwn(folder: string, signal: AbortSignal): Promise<{ api: Api; own: Child }> {
  const own = startChild(PROGRAMS.muster, [], ownEnvironment(folder, process.env));
  try {
    const [, server = ''] = await own.waitFor(/ready at (\S+)/, START_MS);
    const [, email = '', tenant = ''] = /administrator +(\S+) of tenant (\S+)/.exec(own.output()) ?? [];
    const [, password = ''] = /password +(\S+)/.exec(own.output()) ?? [];
    const anonymous = new Api({ server, signal });
    const { token } = await anonymous.post<{ token: string }>('/v1/sessions', { tenant, email, password });
    return { api: new Api({ server, token, signal }), own: { ...own, stop: () => remove(own) } };
  } catch (error) {
    await remove(own);
    throw error;
  }
}

/** The caller's settings are of another installation, and none is meant for the demo: its log, keys and names are its own. */
export function ownEnvironment(folder: string, callers: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isSetting = (name: string) => name.startsWith('MUSTER_') || name === 'KAFKA_BROKERS' || name === 'DATABASE_URL';
  return {
    ...Object.fromEntries(Object.entries(callers).filter(([name]) => !isSetting(name))),
    MUSTER_DATA: path.join(folder, 'server'),
    MUSTER_HOST: '127.0.0.1',
    MUSTER_PORT: '0',
    MUSTER_HANDSET_PORT: '0',
  };
}

/** As root the server keeps its database outside the demo's folder, and says where (see the event log's embedded Postgres). */
async function remove(own: Child): Promise<void> {
  await own.stop();
  const created = /"folder":"(\/var\/lib\/muster\/[0-9a-f]+)".*"postgres\.folder-created"/.exec(own.output())?.[1];
  if (created !== undefined) rmSync(created, { recursive: true, force: true });
}

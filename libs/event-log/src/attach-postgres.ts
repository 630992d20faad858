import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { homeFolder } from './postgres-home.js';
import type { LoginRole } from './roles.js';

export interface AttachedPostgres {
  superuserUrl(database: string): string;
  url(role: LoginRole, database: string): string;
}

/** The embedded server that another process of this installation runs now. @returns undefined when its files do not say so */
export function attachEmbeddedPostgres(dataDir: string): AttachedPostgres | undefined {
  const pidFile = path.join(homeFolder(dataDir), 'cluster', 'postmaster.pid');
  const passwordFile = path.join(dataDir, 'passwords.json');
  if (!existsSync(pidFile) || !existsSync(passwordFile)) return undefined;
  const port = Number(readFileSync(pidFile, 'utf8').split('\n')[3]); // line 4 (Postgres, miscadmin.h: LOCK_FILE_LINE_PORT)
  const passwords = JSON.parse(readFileSync(passwordFile, 'utf8')) as Record<string, string>;
  const at = (role: string, database: string) =>
    `postgres://${role}:${passwords[role]}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  return { superuserUrl: (database) => at('postgres', database), url: at };
}

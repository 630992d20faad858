import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { CliError, EXIT } from './exit-codes.js';

export interface Credentials {
  server: string;
  tenant: string;
  /** A session's or API token. */
  token: string;
  /** PEM file of the server's issuer, when the system does not know it. */
  ca?: string;
}

/** `$XDG_CONFIG_HOME/muster/credentials.json`, 0600. */
export const credentialsFile = (env: NodeJS.ProcessEnv): string =>
  path.join(env.XDG_CONFIG_HOME ?? path.join(env.HOME ?? homedir(), '.config'), 'muster', 'credentials.json');

export function readCredentials(env: NodeJS.ProcessEnv): Credentials | undefined {
  const file = credentialsFile(env);
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Credentials;
  } catch (error) {
    throw new CliError(EXIT.auth, `${file} cannot be read: ${String(error)}`, 'muster login');
  }
}

export function writeCredentials(env: NodeJS.ProcessEnv, credentials: Credentials): string {
  const file = credentialsFile(env);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(credentials, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return file;
}

export const removeCredentials = (env: NodeJS.ProcessEnv): void => rmSync(credentialsFile(env), { force: true });

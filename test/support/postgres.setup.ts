import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { createRoles, startEmbeddedPostgres } from '#event-log/index.js';
import { silentLog } from '#runtime/index.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What `testDatabase` needs to make databases on the run's server. */
    postgres: { superuserUrl: string; passwords: Record<string, string> };
  }
}

/** One Postgres for the whole run of a project; its files are removed with it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-test-'));
  const created: string[] = [];
  const note = (_event: string, fields: { folder?: unknown } = {}) => {
    if (typeof fields.folder === 'string' && fields.folder !== '/var/lib/muster') created.push(fields.folder);
  };
  const server = await startEmbeddedPostgres({ dataDir: folder, log: { ...silentLog, info: note } });
  await createRoles(server.superuserUrl(), server.passwords);
  project.provide('postgres', { superuserUrl: server.superuserUrl(), passwords: { ...server.passwords } });
  return async () => {
    await server.stop();
    for (const made of [folder, ...created]) rmSync(made, { recursive: true, force: true });
  };
}

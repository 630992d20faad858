import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, type EmbeddedPostgres, startEmbeddedPostgres } from '#event-log/index.js';
import { provisionAnalyst } from '#insight/index.js';
import { silentLog } from '#runtime/index.js';
import { InsightConfig } from './insight.config.js';
import { type RunningInsight, startInsight } from './start.js';

/** A Postgres of its own: the service sets the passwords of the roles, which the other tests share. */
describe('the read side alone', () => {
  let folder: string;
  const created: string[] = [];
  let postgres: EmbeddedPostgres;
  let config: InsightConfig;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'muster-insight-app-'));
    // As root the server runs as another user, from a folder elsewhere.
    const note = (_event: string, fields: { folder?: unknown } = {}) => {
      if (typeof fields.folder === 'string' && fields.folder !== '/var/lib/muster') created.push(fields.folder);
    };
    postgres = await startEmbeddedPostgres({ dataDir: path.join(folder, 'data'), log: { ...silentLog, info: note } });
    const databaseUrl = postgres.superuserUrl().replace(/\/[^/]*$/, '/insight_alone');
    config = Object.assign(new InsightConfig(), { databaseUrl, kekFile: path.join(folder, 'kek'), port: 0 });
  });
  afterAll(async () => {
    await postgres.stop();
    for (const made of [folder, ...created]) rmSync(made, { recursive: true, force: true });
  });

  const running = async (work: (insight: RunningInsight) => Promise<void>) => {
    const insight = await startInsight(config, silentLog);
    await work(insight).finally(() => insight.stop());
  };

  it('starts on an empty database, and again on its own', async () => {
    for (let start = 0; start < 2; start += 1)
      await running(async ({ url }) => {
        expect((await fetch(`${url}/livez`)).status).toBe(200);
        expect((await fetch(`${url}/v1/projections`)).status).toBe(401);
      });
  });

  it('has the views that analysts connect to', () =>
    running(async () => {
      const superuser = new Database(config.databaseUrl, { max: 1 });
      const analyst = new Database(await provisionAnalyst(superuser, 'acme', config.databaseUrl), { max: 1 });
      expect(await analyst.query('select * from v1_campaign_progress')).toEqual([]);
      await Promise.all([superuser.end(), analyst.end()]);
    }));
});

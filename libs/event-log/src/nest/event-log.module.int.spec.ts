import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, silentLog, systemClock } from '#runtime/index.js';
import { RuntimeModule } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { eventCatalog } from '../catalog.js';
import { contractDefinitions } from '../log-contract.js';
import { PostgresLog } from '../postgres-log.js';
import { projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';
import { Databases, EventLogModule, eventLogMigrations, TailLog } from './event-log.module.js';

const counted = projection('counted', 1, {
  topics: ['muster.campaign'],
  tables: ['p_counted_v1'],
  ddl: ['create table p_counted_v1 (stream text primary key, events int not null)'],
  apply: async (batch, tx) => {
    for (const { stream, version } of batch)
      await tx.query(
        'insert into p_counted_v1 values ($1, $2) on conflict (stream) do update set events = excluded.events',
        [stream, version],
      );
  },
});

describe('event log module', () => {
  let db: TestDatabase;
  let module: TestingModule;
  let folder: string;

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    folder = mkdtempSync(path.join(tmpdir(), 'muster-kek-'));
    const urls = {
      actor: db.url('muster_campaign'),
      tail: db.url('muster_tail'),
      projector: db.url('muster_projector'),
      insight: db.url('muster_insight'),
    };
    const options = { urls, kekFile: path.join(folder, 'keys', 'kek'), catalog: eventCatalog(contractDefinitions) };
    module = await Test.createTestingModule({
      imports: [
        RuntimeModule.forRoot({ clock: systemClock, log: silentLog }),
        EventLogModule.forRoot({ ...options, projections: [counted] }),
      ],
    }).compile();
    await module.init();
  });
  afterAll(async () => {
    await module.close();
    await db.drop();
    rmSync(folder, { recursive: true });
  });

  it('gives a log to write, one to read across tenants, and projections that follow', async () => {
    for (const tenant of ['acme', 'umbrella'])
      await module
        .get(PostgresLog)
        .append('muster.campaign', { subject: 'one' }, [{ type: 'ThingNoted', data: { text: 'x' } }], {
          tenant,
          actor: 'system:test',
          commandId: newId(),
        });
    expect(Object.values(await module.get(TailLog).heads()).reduce((a, b) => a + b)).toBe(2);
    await module.get(ProjectionRunner).whenCaughtUp();
    const rows = await module.get(Databases).projector.query('select * from proj.p_counted_v1 order by stream');
    expect(rows).toEqual([
      { stream: 'acme/one', events: 1 },
      { stream: 'umbrella/one', events: 1 },
    ]);
  });

  it('gives the reader across tenants no right to append', async () => {
    const context = { tenant: 'acme', actor: 'system:test', commandId: newId() };
    const append = module
      .get(TailLog)
      .append('muster.campaign', { subject: 'two' }, [{ type: 'ThingNoted', data: { text: 'x' } }], context);
    await expect(append).rejects.toThrow('permission denied');
  });
});

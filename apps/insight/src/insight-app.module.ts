import { hkdfSync } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import { campaignDefinitions } from '#campaign/events.js';
import { eventCatalog } from '#event-log/index.js';
import { Databases, type DatabaseUrls, EventLogModule } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { IdentityModule } from '#identity/nest/identity.module.js';
import { insightProjections } from '#insight/index.js';
import { InsightModule } from '#insight/nest/insight.module.js';
import type { Clock, Log } from '#runtime/index.js';
import { READINESS_CHECKS, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { postgresCheck } from '../../muster/src/readiness.js';

export interface InsightAppOptions {
  clock: Clock;
  log: Log;
  urls: DatabaseUrls;
  kek: Uint8Array;
  kekFile: string;
  /** Kafka, when it carries the log. */
  brokers?: readonly string[];
  /** How long the start waits for brokers that are not there yet. */
  patienceMs?: number;
  /** Folder of the files with old records. */
  archive: string;
}

/** The read side alone: its routes, and of identity only the guard. */
@Module({})
export class InsightAppModule {
  static forRoot({ clock, log, urls, kek, kekFile, brokers, patienceMs, archive }: InsightAppOptions): DynamicModule {
    const catalog = eventCatalog([...campaignDefinitions, deviceDefinitions, handsetDefinitions, auditDefinitions]);
    // As in apps/muster, so that a cursor of one service is good at the other.
    const cursorKey = new Uint8Array(hkdfSync('sha256', kek, '', 'muster cursors', 32));
    return {
      module: InsightAppModule,
      global: true,
      imports: [
        RuntimeModule.forRoot({ clock, log, about: { name: 'muster-insight', version: '0.1.0' }, cursorKey }),
        EventLogModule.forRoot({
          urls,
          kekFile,
          catalog,
          brokers,
          patienceMs,
          archive,
          projections: insightProjections,
        }),
        IdentityModule.forRoot({ routes: false }),
        InsightModule.forRoot({ url: urls.insight }),
      ],
      providers: [
        {
          provide: READINESS_CHECKS,
          inject: [Databases],
          useFactory: (databases: Databases) => [postgresCheck(databases)],
        },
      ],
      exports: [READINESS_CHECKS],
    };
  }
}

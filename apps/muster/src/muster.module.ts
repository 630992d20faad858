import { hkdfSync } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import { CampaignModule, campaignProjections, FileStore } from '#campaign/nest/campaign.module.js';
import { Databases, type DatabaseUrls, EventLogModule, KafkaPart } from '#event-log/nest/event-log.module.js';
import { IdentityModule } from '#identity/nest/identity.module.js';
import { insightProjections } from '#insight/index.js';
import { InsightModule } from '#insight/nest/insight.module.js';
import type { Clock, Log } from '#runtime/index.js';
import { type About, CLOCK, IDEMPOTENCY_STORE, READINESS_CHECKS, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { archiveFolder } from './data-folder.js';
import { type DiskLimits, Disks } from './disks.js';
import { PostgresIdempotency } from './idempotency.js';
import { HandsetAddress, InstallationController } from './installation.controller.js';
import { readinessChecks } from './readiness.js';
import { catalog } from './rooms.js';

export interface MusterModuleOptions {
  clock: Clock;
  log: Log;
  about: About;
  urls: DatabaseUrls;
  kek: Uint8Array;
  kekFile: string;
  /** Folder for uploads, contents and archive files. */
  data: string;
  disks: DiskLimits;
  /** Kafka, when it carries the log. */
  brokers?: readonly string[];
  /** How long the start waits for brokers that are not there yet. */
  patienceMs?: number;
  campaign: Omit<Parameters<typeof CampaignModule.forRoot>[0], 'dataDir'>;
}

/** A key of the process for one purpose, the same in all instances of an installation. */
const keyFor = (kek: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', kek, '', `muster ${purpose}`, 32));

/** Every room in one process. Global, because it gives the rooms what they ask the app for. */
@Module({})
export class MusterModule {
  static forRoot(options: MusterModuleOptions): DynamicModule {
    const { clock, log, about, urls, kek, kekFile, data, brokers, patienceMs, campaign } = options;
    const idempotency = {
      provide: IDEMPOTENCY_STORE,
      inject: [Databases, CLOCK],
      useFactory: ({ actor }: Databases, at: Clock) => new PostgresIdempotency(actor, at, keyFor(kek, 'idempotency')),
    };
    const readiness = {
      provide: READINESS_CHECKS,
      inject: [Databases, KafkaPart, FileStore],
      useFactory: (databases: Databases, kafka: KafkaPart, { disk }: FileStore) =>
        readinessChecks(databases, kafka, new Disks(disk, options.disks)),
    };
    return {
      module: MusterModule,
      global: true,
      imports: [
        RuntimeModule.forRoot({ clock, log, about, cursorKey: keyFor(kek, 'cursors') }),
        EventLogModule.forRoot({
          urls,
          kekFile,
          catalog,
          brokers,
          patienceMs,
          archive: archiveFolder(data),
          projections: [...campaignProjections, ...insightProjections],
        }),
        IdentityModule.forRoot(),
        CampaignModule.forRoot({ ...campaign, dataDir: data }),
        InsightModule.forRoot({ url: urls.insight }),
      ],
      controllers: [InstallationController],
      providers: [HandsetAddress, idempotency, readiness],
      exports: [IDEMPOTENCY_STORE, READINESS_CHECKS],
    };
  }
}

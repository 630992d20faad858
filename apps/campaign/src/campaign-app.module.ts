import { hkdfSync } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import {
  type CampaignOptions,
  CampaignModule,
  campaignProjections,
  FileStore,
} from '#campaign/nest/campaign.module.js';
import { Databases, type DatabaseUrls, EventLogModule, KafkaPart } from '#event-log/nest/event-log.module.js';
import { IdentityModule } from '#identity/nest/identity.module.js';
import type { Clock, Log } from '#runtime/index.js';
import { CLOCK, IDEMPOTENCY_STORE, READINESS_CHECKS, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { archiveFolder } from '../../muster/src/data-folder.js';
import { Disks } from '../../muster/src/disks.js';
import { PostgresIdempotency } from '../../muster/src/idempotency.js';
import { HandsetAddress, InstallationController } from '../../muster/src/installation.controller.js';
import { readinessChecks } from '../../muster/src/readiness.js';
import { catalog } from '../../muster/src/rooms.js';

export interface CampaignAppOptions {
  clock: Clock;
  log: Log;
  urls: DatabaseUrls;
  kek: Uint8Array;
  kekFile: string;
  /** Kafka, when it carries the log. */
  brokers?: readonly string[];
  /** How long the start waits for brokers that are not there yet. */
  patienceMs?: number;
  /** With less room on the disk of contents the process is not ready. */
  diskLowBytes: number;
  campaign: CampaignOptions;
}

/** Campaigns, and the identities that they ask for: both ports, without the read side. */
@Module({})
export class CampaignAppModule {
  static forRoot(options: CampaignAppOptions): DynamicModule {
    const { clock, log, urls, kek, kekFile, brokers, patienceMs, diskLowBytes, campaign } = options;
    // As in apps/muster, so that a cursor or an answer of one service is good at the other.
    const keyFor = (purpose: string) => new Uint8Array(hkdfSync('sha256', kek, '', `muster ${purpose}`, 32));
    const idempotency = {
      provide: IDEMPOTENCY_STORE,
      inject: [Databases, CLOCK],
      useFactory: ({ actor }: Databases, at: Clock) => new PostgresIdempotency(actor, at, keyFor('idempotency')),
    };
    const readiness = {
      provide: READINESS_CHECKS,
      inject: [Databases, KafkaPart, FileStore],
      useFactory: (databases: Databases, kafka: KafkaPart, { disk }: FileStore) =>
        readinessChecks(databases, kafka, new Disks(disk, { lowBytes: diskLowBytes })),
    };
    const about = { name: 'muster-campaign', version: '0.1.0' };
    return {
      module: CampaignAppModule,
      global: true,
      imports: [
        RuntimeModule.forRoot({ clock, log, about, cursorKey: keyFor('cursors') }),
        EventLogModule.forRoot({
          urls,
          kekFile,
          catalog,
          brokers,
          patienceMs,
          archive: archiveFolder(campaign.dataDir),
          projections: campaignProjections,
        }),
        IdentityModule.forRoot(),
        CampaignModule.forRoot(campaign),
      ],
      controllers: [InstallationController],
      providers: [HandsetAddress, idempotency, readiness],
      exports: [IDEMPOTENCY_STORE, READINESS_CHECKS],
    };
  }
}

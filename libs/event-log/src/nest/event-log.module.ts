import { type DynamicModule, Module } from '@nestjs/common';
import type { Log } from '#runtime/index.js';
import { LOG, registerStatus } from '#runtime/nest/runtime.module.js';
import { EventCatalog } from '../catalog.js';
import { Keyring, loadKek } from '../keyring.js';
import { PostgresLog } from '../postgres-log.js';
import type { Projection } from '../projection.js';
import { ProjectionRunner } from '../projection-runner.js';
import { ArchiveSize } from './archive-size.js';
import { CommittedLog, Databases, type DatabaseUrls, TailLog } from './databases.js';
import { EventLogLifecycle } from './event-log.lifecycle.js';
import { KafkaPart, logProviders } from './kafka.provider.js';
import { RelayLag } from './relay-lag.js';

export { EventCatalog } from '../catalog.js';
export { ProjectionRunner } from '../projection-runner.js';
export { CommittedLog, Databases, type DatabaseUrls, TailLog } from './databases.js';
export { eventLogMigrations } from './event-log.migrations.js';
export { KafkaPart } from './kafka.provider.js';

/** What no caller can mend, and what their form alone would say otherwise. */
registerStatus({
  'log.gap': 500,
  'log.unreadable': 500,
  'log.unknown-version': 500,
  'log.unknown-type': 500,
  'log.kept-on-kafka': 500,
  'log.not-durable': 500,
  'keyring.kek-malformed': 500,
  'keyring.kek-readable-by-others': 500,
  'keyring.kek-wrong': 500,
  'as-of.future': 400, // as wrong a question as one that cannot be read
});

/** What depends on the state of a read model, and may go when that has changed. */
registerStatus({ 'projection.not-parked': 409, 'projection.poison': 409, 'projection.rebuilding': 409 });

export interface EventLogModuleOptions {
  urls: DatabaseUrls;
  kekFile: string;
  /** Events of all rooms that this process writes or reads. */
  catalog: EventCatalog;
  /** Read models that this process keeps up to date, from the start of the application to its end. */
  projections?: readonly Projection[];
  /** `host:port` of brokers, when Kafka carries the log, and how long the start waits for them; otherwise Postgres alone keeps it. */
  brokers?: readonly string[];
  patienceMs?: number;
  /** Folder of the files with old records of `muster.device`. */
  archive?: string;
}

/** Provides, everywhere, what it exports: `TailLog` reads across tenants, `CommittedLog` without Kafka. Needs RuntimeModule, and comes before the rooms: shut down in reversed order, they may still write. */
@Module({})
export class EventLogModule {
  static forRoot(options: EventLogModuleOptions): DynamicModule {
    const { urls, kekFile, catalog, projections = [], brokers, patienceMs, archive } = options;
    return {
      module: EventLogModule,
      global: true,
      providers: [
        { provide: EventCatalog, useValue: catalog },
        { provide: Databases, inject: [LOG], useFactory: (log: Log) => new Databases(urls, log) },
        {
          provide: Keyring,
          inject: [Databases],
          useFactory: ({ actor }: Databases) => Keyring.open({ database: actor, kek: loadKek(kekFile) }),
        },
        ...logProviders({ brokers, tailUrl: urls.tail, patienceMs, archive }),
        {
          provide: ProjectionRunner,
          inject: [Databases, TailLog, LOG],
          useFactory: ({ projector }: Databases, source: TailLog, log: Log) =>
            new ProjectionRunner({ database: projector, source, projections, log }),
        },
        ...[EventLogLifecycle, RelayLag, ArchiveSize],
      ],
      exports: [CommittedLog, Databases, EventCatalog, KafkaPart, Keyring, PostgresLog, TailLog, ProjectionRunner],
    };
  }
}

import { campaignDefinitions } from '#campaign/events.js';
import { campaignMigrations } from '#campaign/nest/campaign.module.js';
import { eventCatalog, type Migration } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { identityMigrations } from '#identity/nest/identity.module.js';
import { insightMigrations } from '#insight/nest/insight.module.js';
import { idempotencyMigrations } from './idempotency.js';

/** Every event that a process of this product may write or read. */
export const catalog = eventCatalog([handsetDefinitions, auditDefinitions, deviceDefinitions, ...campaignDefinitions]);

/** Tables, in the order in which rooms depend on each other. */
export const migrations: readonly Migration[] = [
  ...eventLogMigrations,
  ...identityMigrations,
  ...campaignMigrations,
  ...insightMigrations,
  ...idempotencyMigrations,
];

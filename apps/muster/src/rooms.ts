import { campaignDefinitions } from '#campaign/events.js';
import { eventCatalog, type Migration } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { identityMigrations } from '#identity/nest/identity.module.js';
import { idempotencyMigrations } from './idempotency.js';

/** What the rooms of this process bring: their events, and their tables in the order in which they depend on each other. */
export const catalog = eventCatalog([handsetDefinitions, auditDefinitions, ...campaignDefinitions]);
export const migrations: readonly Migration[] = [
  ...eventLogMigrations,
  ...identityMigrations,
  ...idempotencyMigrations,
];

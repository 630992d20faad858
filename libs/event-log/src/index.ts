/** Tier 1: the event log, its rules and its projections. */
export * from './event-log.js';
export type { Decider } from './decider.js';
export { Database, type Tx } from './database.js';
export { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
export { type Migration, migrate } from './migrate.js';
export { bootstrapDatabase, createRoles, LOGIN_ROLES, type LoginRole, type RolePasswords } from './roles.js';

/** Tier 1: the event log, its rules and its projections. */
export * from './event-log.js';
export type { Decider } from './decider.js';
export {
  defineEvents,
  EventCatalog,
  eventCatalog,
  type EventData,
  type EventDefinition,
  type EventDefinitions,
  type JsonSchema,
  wireType,
} from './catalog.js';
export { archivable, archive, type Archiving } from './archive.js';
export { type ArchiveFile, archiveFiles, archiveName, ArchiveReader } from './archive-reader.js';
export { type AsyncApiAbout, asyncApi } from './asyncapi.js';
export { type Moment, notYet, parseAsOf } from './as-of.js';
export { awaited } from './awaited.js';
export { auditLog, type LogAudit } from './audit-log.js';
export { auditRelay, type RelayCounts } from './audit-relay.js';
export { factSource } from './audit-source.js';
export { copyInto } from './copy-into.js';
export { Database, type Tx } from './database.js';
export { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
export { type Finding, type Invariant, placeOf, type Report, type RoomAuditor } from './finding.js';
export { type ChainHead, LogChain, readChainHead } from './log-chain.js';
export { attachEmbeddedPostgres, type AttachedPostgres } from './attach-postgres.js';
export { homeFolder } from './postgres-home.js';
export { requireKeeper } from './keeper.js';
export { decrypt, encrypt } from './seal.js';
export { ownTenant } from './own-tenant.js';
export { KnownRows, notesChanges, type RowName } from './known-rows.js';
export { Keyring, KeyringError, loadKek, PROBE, type SecretName } from './keyring.js';
export { type Aggregate, execute, type Executed } from './execute.js';
export { follow, type FollowOptions, type StandsAt } from './follow.js';
export {
  type Batch,
  type FetchedRecord,
  type KafkaClient,
  KafkaError,
  type KafkaRecord,
} from './kafka/kafka-client.js';
export { compareFacts, dumpFacts, loadFacts } from './kafka/fact-dump.js';
export { KafkaSide } from './kafka/kafka-side.js';
export { KafkajsClient } from './kafka/kafkajs-client.js';
export { KafkaLog } from './kafka-log.js';
export { type Migration, migrate } from './migrate.js';
export { partitionOf } from './murmur2.js';
export { decodePosition, encodePosition, nextOffset, reaches } from './position.js';
export { PostgresLog, type PostgresLogOptions, type StreamEnd } from './postgres-log.js';
export { type ParkedStream, ProjectionError } from './parked.js';
export { type PassedOver, passOver } from './passed-over.js';
export {
  type PastCopy,
  ProjectionRunner,
  type ProjectionRunnerOptions,
} from './projection-runner.js';
export type { ProjectionStatus } from './projection-status.js';
export { liveSchema, prepareGeneration } from './generation.js';
export type { Unparked } from './unpark.js';
export { Relay } from './relay.js';
export type { Difference, Verified } from './verify.js';
export { type Projection, projection, type ProjectionView, tenantPolicy } from './projection.js';
export { bootstrapDatabase, createRoles, LOGIN_ROLES, type LoginRole, type RolePasswords } from './roles.js';
export { beginLoad, dumpTable, loadRows, type TableShape, tablesIn, type TextRow } from './table-dump.js';

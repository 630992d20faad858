export class DatabaseSchemaDto {
  /** The newest migration that the database has. */
  applied!: string;
  /** The newest migration that this server knows; another one means that servers of two versions share the database. */
  known!: string;
}

export class InstallationDto {
  /** Base address of the handset's port. */
  handsetUrl!: string;
  /** sha-256 of the CA of its certificate, hex: what an enrolment pins. */
  caFingerprint!: string;
  /** Version of the Postgres that keeps the log. */
  databaseVersion!: string;
  schema!: DatabaseSchemaDto;
}

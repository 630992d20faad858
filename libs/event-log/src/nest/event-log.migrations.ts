import { CreateArchive1767000000004 } from './migrations/create-archive.js';
import { CreateKeyring1767000000001 } from './migrations/create-keyring.js';
import { CreateLog1767000000000 } from './migrations/create-log.js';
import { CreatePassedOver1767000000003 } from './migrations/create-passed-over.js';
import { CreateRelay1767000000002 } from './migrations/create-relay.js';

/** In order; they come before those of every other room. */
export const eventLogMigrations = [
  CreateLog1767000000000,
  CreateKeyring1767000000001,
  CreateRelay1767000000002,
  CreatePassedOver1767000000003,
  CreateArchive1767000000004,
];

import type { Command } from './cli/command.js';
import { archiveCommands } from './commands/archive.js';
import { auditCommands } from './commands/audit.js';
import { backupCommands } from './commands/backup.js';
import { campaignCommands } from './commands/campaign.js';
import { contentCommands } from './commands/content.js';
import { demoCommands } from './commands/demo.js';
import { deviceCommands } from './commands/device.js';
import { doctorCommands } from './commands/doctor.js';
import { eventCommands } from './commands/event.js';
import { hawkbitCommands } from './commands/hawkbit.js';
import { peopleCommands } from './commands/people.js';
import { projectionCommands } from './commands/projection.js';
import { sessionCommands } from './commands/session.js';
import { vocabularyCommands } from './commands/vocabulary.js';
import { webhookCommands } from './commands/webhook.js';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  ...sessionCommands,
  ...peopleCommands,
  ...deviceCommands,
  ...hawkbitCommands,
  ...vocabularyCommands,
  ...contentCommands,
  ...campaignCommands,
  ...webhookCommands,
  ...eventCommands,
  ...projectionCommands,
  ...demoCommands,
  ...doctorCommands,
  ...archiveCommands,
  ...auditCommands,
  ...backupCommands,
];

/** What each noun is, for the help. */
export const nouns: Readonly<Record<string, string>> = {
  tenant: 'organisations on this installation',
  user: 'people and their roles',
  token: 'API tokens for programs',
  device: 'handsets: enrolment, identities, timelines',
  channel: 'named audiences of a tenant, each with its own catalogue',
  schema: 'the attributes that rules may ask for',
  content: 'files with a description and a selector',
  campaign: 'what is offered to whom, when and how fast',
  webhook: 'systems that are told when a campaign halts, completes or needs approval',
  rule: 'trigger rules that handsets store',
  event: 'the event log',
  projection: 'read models, rebuilt from the log',
  keys: 'signing keys of the catalogues',
};

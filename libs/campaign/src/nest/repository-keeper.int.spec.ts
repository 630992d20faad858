import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventCatalog, type EventContext, Keyring, PostgresLog } from '#event-log/index.js';
import { type Databases, eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { auditDefinitions } from '#identity/events.js';
import { identityMigrations } from '#identity/nest/identity.module.js';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { campaignDefinitions, campaignMigrations } from './campaign.module.js';
import { ChannelKeys } from './channel-keys.js';
import { Channels } from './channels.js';
import { FirstChannel } from './first-channel.js';
import { ChannelTransactions, type InChannel } from './in-channel.js';
import type { Publisher } from './publisher.js';
import { RepositoryKeeper } from './repository-keeper.js';

describe('the keeper of repositories', () => {
  let db: TestDatabase;
  let channels: Channels;
  let keys: ChannelKeys;
  let log: PostgresLog;
  let transactions: ChannelTransactions;
  let keeper: RepositoryKeeper;
  let publishes = true;
  const context: EventContext = { tenant: 'acme', actor: 'person:p', commandId: newId() };

  beforeAll(async () => {
    db = await testDatabase([...eventLogMigrations, ...identityMigrations, ...campaignMigrations]);
    const actor = db.database('muster_campaign');
    const databases = { actor } as Databases;
    const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
    const events = eventCatalog([auditDefinitions, ...campaignDefinitions]);
    log = new PostgresLog({ database: actor, events, keyring, clock: systemClock });
    transactions = new ChannelTransactions(databases, systemClock);
    channels = new Channels(databases);
    keys = new ChannelKeys(keyring);
    const publisher = {
      publish: async (tenant: string, channel: string, rotate?: (at: InChannel) => Promise<unknown>) => {
        if (!publishes) throw new Error('the database went away');
        return transactions.change(tenant, channel, async (at) => Boolean(await rotate?.(at)));
      },
    };
    keeper = new RepositoryKeeper(transactions, log, channels, keys, publisher as unknown as Publisher);
  });
  afterAll(() => db.drop());
  beforeEach(() => {
    publishes = true;
  });

  it('gives the passphrase, which is kept nowhere, although the first publication fails', async () => {
    publishes = false;
    const made = await keeper.make(context, 'beta');
    const signers = await transactions.read('acme', 'beta', (at) =>
      keys.offlineSigners(at, 'root', made?.passphrase ?? ''),
    );
    expect(signers).toHaveLength(2);
  });

  it('makes no first channel whose passphrase could not be shown', async () => {
    const shown: string[] = [];
    const firstOf = (showOnce: (line: string) => void) =>
      new FirstChannel(channels, keeper, { dataDir: '/nowhere', showOnce });
    const cutOff = firstOf(() => {
      throw new Error('killed');
    });
    await expect(cutOff.ensure('acme')).rejects.toThrow('killed');
    expect(await channels.names('acme')).not.toContain('main');
    await firstOf((line) => void shown.push(line)).ensure('acme');
    expect(await channels.names('acme')).toContain('main');
    expect(shown).toHaveLength(1);
  });

  it('audits each rotation, those of one repeated command too', async () => {
    await keeper.make({ ...context, commandId: newId() }, 'gamma');
    await keeper.rotate(context, 'gamma', 'grant');
    await keeper.rotate(context, 'gamma', 'grant');
    const audited = await log.readStream('muster.audit', 'acme', 'channel');
    const rotations = audited.filter(({ data }) => (data as { operation: string }).operation === 'keys.rotate');
    expect(rotations).toHaveLength(2);
  });
});

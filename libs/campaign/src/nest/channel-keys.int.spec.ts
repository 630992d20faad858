import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, Keyring } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { identityMigrations } from '#identity/nest/identity.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { ChannelKeys } from './channel-keys.js';
import { campaignMigrations } from './campaign.module.js';
import type { InChannel } from './in-channel.js';

describe('the keys of a channel', () => {
  let db: TestDatabase;
  let one: Database;
  let keys: ChannelKeys;

  beforeAll(async () => {
    db = await testDatabase([...eventLogMigrations, ...identityMigrations, ...campaignMigrations]);
    one = db.database('muster_campaign', 1);
    keys = new ChannelKeys(await Keyring.open({ database: one, kek: randomBytes(32) }));
  });
  afterAll(() => db.drop());

  const inMain = <T>(work: (at: InChannel) => Promise<T>): Promise<T> =>
    one.inTenant('acme', (tx) => work({ tx, tenant: 'acme', channel: 'main', now: Date.now() }));

  it('are made and used by the connection of their transaction, so that a pool in full use cannot wait for itself', async () => {
    const made = await inMain(async (at) => {
      await keys.makeGrantKey(at);
      for (const role of ['catalogue', 'policy', 'snapshot', 'timestamp'] as const) await keys.makeOnline(at, role);
      return { grant: await keys.grantSecret(at), signers: await keys.onlineSigners(at) };
    });
    const read = await inMain(async (at) => ({ rows: await keys.list(at), set: await keys.grantKeySet(at) }));
    expect(read.set.keys.map(({ kid }) => kid)).toEqual([made.grant.kid]);
    expect(read.rows.map(({ key_id }) => key_id)).toContain(made.signers.snapshot.keyId);
  });
});

import { Inject, Injectable } from '@nestjs/common';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { Keyring } from '#event-log/index.js';
import {
  exportSigner,
  generateSigner,
  importSigner,
  openSigner,
  sealSigner,
  type Signer,
  TufError,
  type TufKey,
} from '#tuf/index.js';
import { newId } from '#runtime/index.js';
import { CampaignError, refusal } from '../errors.js';
import {
  OFFLINE_KEYS,
  OFFLINE_ROLES,
  type OfflineRole,
  ONLINE_ROLES,
  type OnlineRole,
  type OnlineSigners,
  type RepositoryRole,
  type RoleKeyring,
} from '../repository.js';
import type { InChannel } from './in-channel.js';

export type KeyRole = RepositoryRole | 'grant';

export interface KeyRow {
  role: KeyRole;
  key_id: string;
  public: TufKey | JWK;
  sealed: string | null;
  created_at: Date;
}

/** Signing keys of a channel. Online ones come from the keyring; offline ones open with their passphrase only. */
@Injectable()
export class ChannelKeys {
  constructor(@Inject(Keyring) private readonly keyring: Keyring) {}

  /** The keys in force, newest first. */
  list({ tx, tenant, channel }: InChannel): Promise<KeyRow[]> {
    return tx.query<KeyRow>(
      `select role, key_id, public, sealed, created_at from ops.tuf_key
       where tenant = $1 and channel = $2 and retired_at is null order by created_at desc, key_id`,
      [tenant, channel],
    );
  }

  async publicKeys(at: InChannel): Promise<RoleKeyring> {
    const rows = await this.list(at);
    const of = (role: RepositoryRole) => rows.filter((row) => row.role === role).map((row) => row.public as TufKey);
    const roles = [...OFFLINE_ROLES, ...ONLINE_ROLES].map((role) => [role, of(role)] as const);
    return Object.fromEntries(roles) as unknown as RoleKeyring;
  }

  async onlineSigners(at: InChannel): Promise<OnlineSigners> {
    const rows = await this.list(at);
    const signers: [OnlineRole, Signer][] = [];
    for (const role of ONLINE_ROLES) signers.push([role, importSigner(await this.secretOf(at, role, rows))]);
    return Object.fromEntries(signers) as unknown as OnlineSigners;
  }

  /** Two of the three, which is their threshold. @throws CampaignError `keys.passphrase` */
  async offlineSigners(at: InChannel, role: OfflineRole, passphrase: string): Promise<Signer[]> {
    const rows = (await this.list(at)).filter((row) => row.role === role && row.sealed !== null);
    try {
      return await Promise.all(rows.slice(0, OFFLINE_KEYS.threshold).map((row) => openSigner(row.sealed!, passphrase)));
    } catch (error) {
      if (error instanceof TufError && error.code === 'tuf.passphrase')
        throw refusal('keys.passphrase', '/passphrase', 'not the passphrase of the offline keys of this channel');
      throw error;
    }
  }

  /** Makes a key for an online role, beside those that are there. */
  async makeOnline(at: InChannel, role: OnlineRole): Promise<void> {
    const signer = generateSigner();
    await this.insert(at, { role, keyId: signer.keyId, publicKey: signer.public });
    await this.keyring.putSecret(at.tx, secretName(at, role, signer.keyId), exportSigner(signer));
  }

  /** Makes the keys of an offline role, sealed under the passphrase; they never touch the keyring. */
  async makeOffline(at: InChannel, role: OfflineRole, passphrase: string): Promise<Signer[]> {
    const signers = Array.from({ length: OFFLINE_KEYS.made }, generateSigner);
    for (const signer of signers)
      await this.insert(at, {
        role,
        keyId: signer.keyId,
        publicKey: signer.public,
        sealed: await sealSigner(signer, passphrase),
      });
    return signers;
  }

  async makeGrantKey(at: InChannel): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
    const keyId = newId();
    const shown = { ...(await exportJWK(publicKey)), kid: keyId, alg: 'EdDSA', use: 'sig' };
    await this.insert(at, { role: 'grant', keyId, publicKey: shown });
    const secret = { ...(await exportJWK(privateKey)), kid: keyId };
    await this.keyring.putSecret(at.tx, secretName(at, 'grant', keyId), Buffer.from(JSON.stringify(secret)));
  }

  /** Public keys that grants may be signed by. */
  async grantKeySet(at: InChannel): Promise<JSONWebKeySet> {
    return { keys: (await this.list(at)).filter(({ role }) => role === 'grant').map((row) => row.public as JWK) };
  }

  async grantSecret(at: InChannel): Promise<JWK> {
    const secret = await this.secretOf(at, 'grant', await this.list(at));
    return JSON.parse(Buffer.from(secret).toString('utf8')) as JWK;
  }

  /** All but the `keep` newest keys of the role sign nothing from now on. */
  async retire({ tx, tenant, channel, now }: InChannel, role: KeyRole, keep: number): Promise<void> {
    await tx.query(
      `update ops.tuf_key set retired_at = $4 where tenant = $1 and channel = $2 and role = $3 and retired_at is null
       and key_id not in (select key_id from ops.tuf_key where tenant = $1 and channel = $2 and role = $3
         and retired_at is null order by created_at desc, key_id limit $5)`,
      [tenant, channel, role, new Date(now), keep],
    );
  }

  private async secretOf(at: InChannel, role: KeyRole, rows: readonly KeyRow[]): Promise<Uint8Array> {
    const newest = rows.find((row) => row.role === role);
    const secret = newest && (await this.keyring.secret(secretName(at, role, newest.key_id), at.tx));
    if (secret === undefined) throw new CampaignError('channel.unknown', { role }, 'the channel has no such key');
    return secret;
  }

  private async insert(
    { tx, tenant, channel, now }: InChannel,
    key: { role: KeyRole; keyId: string; publicKey: object; sealed?: string },
  ): Promise<void> {
    await tx.query(
      `insert into ops.tuf_key (tenant, channel, role, key_id, public, sealed, created_at)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [tenant, channel, key.role, key.keyId, JSON.stringify(key.publicKey), key.sealed ?? null, new Date(now)],
    );
  }
}

const secretName = ({ tenant, channel }: InChannel, role: KeyRole, keyId: string) => ({
  tenant,
  purpose: 'channel-key',
  id: `${channel}:${role}:${keyId}`,
});

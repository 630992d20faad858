import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { audit } from '#identity/nest/identity.module.js';
import { CampaignError, refusal } from '../errors.js';
import {
  expiresAt,
  LIFETIME_MS,
  nextRoot,
  nextTargets,
  OFFLINE_KEYS,
  type OfflineRole,
  ONLINE_ROLES,
  type OnlineRole,
  type RepositoryRole,
  type RoleFile,
  type RoleFiles,
} from '../repository.js';
import { FIRST_RULES, rulesStream } from '../vocabulary.js';
import { ChannelKeys, type KeyRole } from './channel-keys.js';
import { Channels } from './channels.js';
import { ChannelTransactions, type InChannel } from './in-channel.js';
import { Publisher } from './publisher.js';
import { insertRoleFiles, standingFiles } from './repository-rows.js';
import type { ChannelMade, KeyStatus } from './vocabulary-view.dto.js';

/** What of an offline-signed role's file names an online role's key. */
const NAMED_IN: Readonly<Record<OnlineRole, OfflineRole>> = {
  snapshot: 'root',
  timestamp: 'root',
  catalogue: 'targets',
  policy: 'targets',
};

/** Makes channels, each with its repository, and rotates their keys. */
@Injectable()
export class RepositoryKeeper {
  constructor(
    @Inject(ChannelTransactions) private readonly transactions: ChannelTransactions,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(ChannelKeys) private readonly keys: ChannelKeys,
    @Inject(Publisher) private readonly publisher: Publisher,
  ) {}

  /**
   * @param show called with the passphrase before anything is kept: one that opens nothing does no harm, while keys that
   *   nobody can open end the channel when its root expires
   * @returns undefined when the channel was there already
   */
  async make(
    context: EventContext,
    channel: string,
    show: (passphrase: string) => void = () => undefined,
  ): Promise<ChannelMade | undefined> {
    const { tenant } = context;
    const passphrase = randomBytes(16).toString('base64url');
    const made = await this.transactions.change(tenant, channel, async (at) => {
      if (!(await this.channels.insert(at))) return false;
      await this.found(at, passphrase);
      await this.audit(at, context, 'channel.add', 'with its repository and keys');
      const rules = { type: 'RuleSetPublished', data: { channel, version: FIRST_RULES.version, rules: FIRST_RULES } };
      await this.log.appendIn(at.tx, 'muster.campaign', { subject: rulesStream(channel) }, [rules], context);
      show(passphrase);
      return true;
    });
    if (!made) return undefined;
    // Only to be quick: what fails here the timer does again, but the passphrase must come to its owner now.
    await this.publisher.publish(tenant, channel).catch(() => false);
    return { channel, passphrase };
  }

  private async found(at: InChannel, passphrase: string): Promise<void> {
    for (const role of ONLINE_ROLES) await this.keys.makeOnline(at, role);
    await this.keys.makeGrantKey(at);
    const root = await this.keys.makeOffline(at, 'root', passphrase);
    const targets = await this.keys.makeOffline(at, 'targets', passphrase);
    const publics = await this.keys.publicKeys(at);
    const { threshold } = OFFLINE_KEYS;
    const files = [
      nextRoot(new Map(), publics, root.slice(0, threshold), at.now),
      nextTargets(new Map(), publics, targets.slice(0, threshold), at.now),
    ];
    await insertRoleFiles(at, files, null);
  }

  /**
   * Replaces the keys of a role and publishes what follows from it. For `root` and `targets` the files get a new life,
   * too. @param passphrase needed for all but `grant`. @throws CampaignError `keys.passphrase`
   */
  async rotate(context: EventContext, channel: string, role: KeyRole, passphrase?: string): Promise<void> {
    await this.channels.require(context.tenant, channel);
    await this.publisher.publish(context.tenant, channel, async (at) => {
      const rotated = role === 'grant' ? await this.rotateGrant(at) : await this.rotateRole(at, role, passphrase);
      await this.audit(at, context, 'keys.rotate', `keys of ${role}`);
      return rotated;
    });
  }

  private audit(at: InChannel, context: EventContext, operation: string, summary: string): Promise<void> {
    return audit(this.log, at.tx, context, { operation, object: { kind: 'channel', id: at.channel }, summary });
  }

  /** The key before stays, so that grants given within the last ten minutes are good to their end. */
  private async rotateGrant(at: InChannel): Promise<readonly RoleFile[]> {
    await this.keys.retire(at, 'grant', 1);
    await this.keys.makeGrantKey(at);
    return [];
  }

  private async rotateRole(
    at: InChannel,
    role: RepositoryRole,
    passphrase: string | undefined,
  ): Promise<readonly RoleFile[]> {
    if (passphrase === undefined) throw refusal('keys.passphrase', '/passphrase', 'the offline keys must sign this');
    const standing = await standingFiles(at);
    if (role === 'root' || role === 'targets') return this.rotateOffline(at, standing, role, passphrase);
    const signers = await this.keys.offlineSigners(at, NAMED_IN[role], passphrase);
    await this.keys.retire(at, role, 0);
    await this.keys.makeOnline(at, role);
    const publics = await this.keys.publicKeys(at);
    const next = NAMED_IN[role] === 'root' ? nextRoot : nextTargets;
    return [next(standing, publics, signers, at.now)];
  }

  /** New root keys are vouched for by the old ones; new targets keys by the root. */
  private async rotateOffline(
    at: InChannel,
    standing: RoleFiles,
    role: OfflineRole,
    passphrase: string,
  ): Promise<readonly RoleFile[]> {
    const { threshold } = OFFLINE_KEYS;
    const oldRoot = await this.keys.offlineSigners(at, 'root', passphrase);
    await this.keys.retire(at, role, 0);
    const made = (await this.keys.makeOffline(at, role, passphrase)).slice(0, threshold);
    const publics = await this.keys.publicKeys(at);
    const files: RoleFile[] = [nextRoot(standing, publics, role === 'root' ? [...oldRoot, ...made] : oldRoot, at.now)];
    if (role === 'targets') files.push(nextTargets(standing, publics, made, at.now));
    return files;
  }

  /** @throws CampaignError `channel.unknown` */
  async status(tenant: string, channel: string): Promise<KeyStatus[]> {
    const { rows, files, now } = await this.transactions.read(tenant, channel, async (at) => ({
      rows: await this.keys.list(at),
      files: await standingFiles(at),
      now: at.now,
    }));
    if (rows.length === 0) throw new CampaignError('channel.unknown', { channel }, 'no such channel');
    const roles = [...new Set(rows.map(({ role }) => role))].sort();
    return roles.map((role) => {
      const keyIds = rows.filter((row) => row.role === role).map((row) => row.key_id);
      return { role, keyIds, ...statusOfFile(role, files, now) };
    });
  }
}

function statusOfFile(role: KeyRole, files: RoleFiles, now: number): Omit<KeyStatus, 'role' | 'keyIds'> {
  const online = role !== 'root' && role !== 'targets';
  const threshold = online ? 1 : OFFLINE_KEYS.threshold;
  const file = files.get(role);
  if (role === 'grant' || file === undefined) return { threshold, online, version: null, expiresAt: null, due: false };
  const expires = expiresAt(file);
  const due = expires - now <= LIFETIME_MS[role] / 2;
  return { threshold, online, version: file.version, expiresAt: new Date(expires).toISOString(), due };
}

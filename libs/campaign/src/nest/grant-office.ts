import { Inject, Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { GRANT_SECONDS, type GrantClaims, type OfferRef } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { type Clock, instant, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { DeviceFactByServer } from '../events.js';
import {
  type GrantBearer,
  type GrantKeys,
  grantKeys,
  orNewer,
  requestHash,
  signGrant,
  verifyGrant,
} from '../grants.js';
import { ChannelKeys } from './channel-keys.js';
import { ChannelTransactions } from './in-channel.js';

interface Keys {
  set: GrantKeys;
  secret: JWK;
}

/** How long a rotation by another process may take to be seen here; the key before it stays good for longer. */
const KEPT_MS = 5_000;
/** A grant of an unknown key has the keys read anew, so often at most: key ids are made up at no cost. */
const READ_ANEW_MS = 1_000;

/** Signs grants, remembers who holds them, and reads them again when they come with a request for bytes. */
@Injectable()
export class GrantOffice {
  private readonly kept = new Map<string, { keys: Promise<Keys>; until: number }>();
  private readonly readAnewAt = new Map<string, number>();

  constructor(
    @Inject(ChannelKeys) private readonly keys: ChannelKeys,
    @Inject(ChannelTransactions) private readonly transactions: ChannelTransactions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** A grant of one content, for `GRANT_SECONDS` from now. @param snapshotVersion that the request was made by */
  async issue(
    { tenant, deviceId, channel }: DeviceIdentity,
    { contentId, campaignId }: OfferRef,
    snapshotVersion: number,
  ): Promise<{ grant: string; url: string; fact: DeviceFactByServer }> {
    const iat = Math.floor(this.clock.now() / 1000);
    const claims: GrantClaims = {
      sub: deviceId,
      tenant,
      content: contentId,
      campaign: campaignId,
      req: requestHash(deviceId, contentId, campaignId),
      snap: snapshotVersion,
      iat,
      exp: iat + GRANT_SECONDS,
      jti: newId(),
    };
    const grant = await signGrant(claims, (await this.keysOf(tenant, channel)).secret);
    const data = { contentId, campaignId, jti: claims.jti, expiresAt: instant(claims.exp * 1000) };
    return { grant, url: `/d/v1/contents/${contentId}`, fact: { type: 'GrantIssued', data } };
  }

  /** @throws CampaignError `grant.*` */
  async verify(header: string | undefined, bearer: GrantBearer & { channel: string }): Promise<GrantClaims> {
    const { set } = await this.keysOf(bearer.tenant, bearer.channel);
    return verifyGrant(
      header,
      orNewer(set, () => this.newerThan(set, bearer)),
      bearer,
      this.clock.now(),
    );
  }

  /** Another process may have rotated the key a moment ago. */
  private async newerThan(
    set: GrantKeys,
    { tenant, channel }: { tenant: string; channel: string },
  ): Promise<GrantKeys> {
    const name = `${tenant}/${channel}`;
    const now = performance.now();
    const isDue = now - (this.readAnewAt.get(name) ?? -Infinity) >= READ_ANEW_MS;
    if ((await this.keysOf(tenant, channel)).set === set && isDue) {
      this.readAnewAt.set(name, now);
      this.kept.delete(name);
    }
    return (await this.keysOf(tenant, channel)).set;
  }

  private keysOf(tenant: string, channel: string): Promise<Keys> {
    const name = `${tenant}/${channel}`;
    const kept = this.kept.get(name);
    if (kept !== undefined && performance.now() < kept.until) return kept.keys;
    const keys = this.load(tenant, channel);
    this.kept.set(name, { keys, until: performance.now() + KEPT_MS });
    keys.catch(() => this.kept.delete(name)); // the caller gets the error, the next one asks again
    return keys;
  }

  private load(tenant: string, channel: string): Promise<Keys> {
    return this.transactions.read(tenant, channel, async (at) => ({
      set: grantKeys(await this.keys.grantKeySet(at)),
      secret: await this.keys.grantSecret(at),
    }));
  }
}

import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OfferRef } from '#device-protocol/index.js';
import { type DeviceIdentity, Devices } from '#identity/nest/identity.module.js';
import { LEASE_MS } from '../caps.js';
import { CampaignError } from '../errors.js';
import { stopsTransfer } from '../offers.js';
import { type ByteRange, rangeOf } from '../range.js';
import { FileStore } from './file-store.js';
import { GrantOffice } from './grant-office.js';
import { Leases } from './leases.js';
import { LiveBoard } from './live-board.js';

interface Source extends OfferRef {
  sha256: string;
  size: number;
  etag: string;
}

/** With the second that another process's revocation takes to be seen here, a range ends within two. */
const LOOK_MS = 500;
/** A third of a lease. */
const RENEWED_LOOKS = LEASE_MS / 3 / LOOK_MS;

/** Content bytes, for the device of the certificate alone, by a grant that is looked at when a range begins. */
@Injectable()
export class Transfers {
  constructor(
    @Inject(GrantOffice) private readonly grants: GrantOffice,
    @Inject(Leases) private readonly leases: Leases,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(Devices) private readonly devices: Devices,
  ) {}

  /** HEAD. */
  async describe(
    device: DeviceIdentity,
    contentId: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const source = await this.open(device, contentId, request);
    void reply.headers({ ...headersOf(source), 'content-length': source.size }).send();
  }

  /** GET: the whole, a range, or 416. */
  async send(device: DeviceIdentity, contentId: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const source = await this.open(device, contentId, request);
    const { range, 'if-range': ifRange } = request.headers;
    const wanted = rangeOf({ range, ifRange: ifRange?.toString() }, source);
    if (wanted === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${source.size}`);
      throw new CampaignError('range.unsatisfiable', { sizeBytes: source.size }, 'the range begins behind the end');
    }
    const { status, headers } = wanted === undefined ? wholeOf(source) : partOf(source, wanted);
    void reply
      .status(status)
      .headers({ ...headersOf(source), ...headers })
      .send(source.size === 0 ? '' : this.watched(this.files.read(source.sha256, wanted), device, source));
  }

  /**
   * A range under way is cut off when the campaign is paused hard or recalled, the content withdrawn or the device
   * revoked: an error after the headers ends the connection, so that nobody takes the part for the whole. The device asks
   * again, and meets the gate.
   * @param stops  what takes back, the device's own revocation apart
   */
  watched(bytes: Readable, device: DeviceIdentity, source: OfferRef, stops = stopsTransfer): Readable {
    let looks = 0;
    const look = setInterval(() => {
      looks += 1;
      // A renewal that fails is made up for by the next: the lease is good for longer.
      if (looks % RENEWED_LOOKS === 0) this.leases.renew(device, source).catch(() => undefined);
      void this.mayGoOn(device, source, stops).then((isGood) => {
        if (!isGood) bytes.destroy(new CampaignError('grant.revoked', {}, 'taken back while it was sent'));
      });
    }, LOOK_MS);
    return bytes.once('close', () => clearInterval(look));
  }

  /** What cannot be looked up now stops nothing: the next look is soon. */
  private async mayGoOn(
    bearer: DeviceIdentity,
    { contentId, campaignId }: OfferRef,
    stops: typeof stopsTransfer,
  ): Promise<boolean> {
    try {
      const [{ contents, campaigns }, device] = await Promise.all([
        this.board.tenant(bearer.tenant),
        this.devices.byKey(bearer),
      ]);
      return device !== undefined && !stops(campaigns.get(campaignId), contents.get(contentId));
    } catch {
      return true;
    }
  }

  /** @throws CampaignError `grant.*`; `grant.revoked` when the campaign was paused hard or recalled, or the content withdrawn */
  private async open(device: DeviceIdentity, contentId: string, request: FastifyRequest): Promise<Source> {
    const { tenant, deviceId, channel } = device;
    const bearer = { tenant, deviceId, channel, contentId };
    const claims = await this.grants.verify(request.headers.authorization, bearer);
    const board = await this.board.tenant(tenant);
    const content = board.contents.get(contentId);
    if (!content?.published || stopsTransfer(board.campaigns.get(claims.campaign), content))
      throw new CampaignError('grant.revoked', {}, 'the campaign or the content was taken back');
    const { sha256, sizeBytes } = content.published;
    return { contentId, campaignId: claims.campaign, sha256, size: sizeBytes, etag: `"${sha256}"` };
  }
}

/** The digest is of the whole, whatever range is sent (RFC 9530 §3), so that a resumed file can be checked. */
const headersOf = ({ sha256, etag }: Source): Record<string, string> => ({
  'content-type': 'application/octet-stream',
  'accept-ranges': 'bytes',
  etag,
  'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
  'cache-control': 'private, no-transform',
});

const wholeOf = ({ size }: Source) => ({ status: 200, headers: { 'content-length': size } });

const partOf = ({ size }: Source, { first, last }: ByteRange) => ({
  status: 206,
  headers: { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${size}` },
});

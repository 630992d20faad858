import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { INBOX_HEADER, INTERVAL_HEADER } from '#device-protocol/index.js';
import { DeviceConnections, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { isTenantId } from '#identity/index.js';
import { CampaignError } from '../errors.js';
import { sendConditional } from './conditional.js';
import { DeviceVisits } from './device-visits.js';
import { PollIntervals } from './poll-intervals.js';
import { type ServedFile, ServedFiles } from './served-files.js';

export interface Repository {
  tenant: string;
  channel: string;
}

/** A name that holds its version or digest never changes its bytes. */
const IMMUTABLE = 'public, max-age=31536000, immutable';
/** Kept by caches, but asked about each time. */
const REVALIDATE = 'public, no-cache';

/** Everything below `/tuf/<tenant>/<channel>/`: for anyone, and recorded for whom a certificate names. */
@Injectable()
export class CatalogueServer {
  constructor(
    @Inject(ServedFiles) private readonly files: ServedFiles,
    @Inject(DeviceConnections) private readonly connections: DeviceConnections,
    @Inject(DeviceVisits) private readonly visits: DeviceVisits,
    @Inject(PollIntervals) private readonly intervals: PollIntervals,
  ) {}

  /** The availability request: a conditional GET of the timestamp. */
  async poll(at: Repository, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const timestamp = await this.files.timestamp(checked(at).tenant, at.channel);
    const device = await this.deviceIn(at, request);
    void reply.header(INTERVAL_HEADER, String(this.intervals.seconds()));
    if (device !== undefined) void reply.header(INBOX_HEADER, await this.visits.inboxOf(device));
    const sent = send(timestamp, REVALIDATE, request, reply);
    if (device !== undefined) this.visits.polled(device, timestamp, { request, sent });
  }

  async file(at: Repository, name: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const file = await this.files.file(checked(at).tenant, at.channel, name);
    await this.noteVisit(at, name, request);
    send(file, IMMUTABLE, request, reply);
  }

  /** Two kinds of files tell something of the device that fetches them; for all others nobody looks who it is. */
  private async noteVisit(at: Repository, name: string, request: FastifyRequest): Promise<void> {
    const rules = /^targets\/rules\/[0-9a-f]{64}\.(\d{1,9})$/.exec(name);
    const isSnapshot = /^\d+\.snapshot\.json$/.test(name);
    const device = isSnapshot || rules !== null ? await this.deviceIn(at, request) : undefined;
    if (device === undefined) return;
    if (rules !== null) await this.visits.gotRules(device, Number(rules[1]));
    else await this.visits.described(device, name, await this.files.timestamp(at.tenant, at.channel));
  }

  /** A device of another tenant or channel reads as anyone does. */
  private async deviceIn(
    { tenant, channel }: Repository,
    request: FastifyRequest,
  ): Promise<DeviceIdentity | undefined> {
    const device = await this.connections.optionalDevice(request);
    return device?.tenant === tenant && device.channel === channel ? device : undefined;
  }
}

/** Text that no tenant or channel can have never reaches the database. */
function checked(at: Repository): Repository {
  if (isTenantId(at.tenant) && /^[a-z][a-z0-9-]{0,30}$/.test(at.channel)) return at;
  throw new CampaignError('tuf.not-found', {}, 'no such repository');
}

const send = ({ bytes, etag }: ServedFile, caching: string, request: FastifyRequest, reply: FastifyReply): boolean =>
  sendConditional(request, reply, {
    body: bytes,
    etag,
    headers: { 'cache-control': caching, 'content-type': 'application/json' },
  });

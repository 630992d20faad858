import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TRIGGER_HEADER } from '#device-protocol/index.js';
import { DeviceConnections, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { isTenantId } from '#identity/index.js';
import { CampaignError } from '../errors.js';
import { pollHeaders } from '../poll-answer.js';
import { sendConditional } from './conditional.js';
import { DeviceVisits } from './device-visits.js';
import { PollIntervals } from './poll-intervals.js';
import { type Repository, ServedFiles } from './served-files.js';

/** A name that holds its version or digest never changes its bytes. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

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
    const timestamp = await this.files.timestamp(checked(at));
    const device = await this.deviceIn(at, request);
    const inbox = device === undefined ? undefined : await this.visits.inboxOf(device);
    const { bytes: body, etag } = timestamp;
    const headers = pollHeaders({ etag, intervalSeconds: this.intervals.seconds(), inbox });
    const sent = sendConditional(request, reply, { body, etag, headers });
    if (device !== undefined) {
      const header = request.headers[TRIGGER_HEADER]?.toString();
      this.visits.polled(device, timestamp, { header, sent });
    }
  }

  async file(at: Repository, name: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const file = await this.files.file(checked(at).tenant, at.channel, name);
    await this.noteVisit(at, name, request);
    const { bytes: body, etag } = file;
    const headers = { 'cache-control': IMMUTABLE, 'content-type': 'application/json' };
    sendConditional(request, reply, { body, etag, headers });
  }

  /** Two kinds of files tell something of the device that fetches them; for all others nobody looks who it is. */
  private async noteVisit(at: Repository, name: string, request: FastifyRequest): Promise<void> {
    const rules = /^targets\/rules\/[0-9a-f]{64}\.(\d{1,9})$/.exec(name);
    const isSnapshot = /^\d+\.snapshot\.json$/.test(name);
    const device = isSnapshot || rules !== null ? await this.deviceIn(at, request) : undefined;
    if (device === undefined) return;
    if (rules !== null) await this.visits.gotRules(device, Number(rules[1]));
    else await this.visits.described(device, name, await this.files.timestamp(at));
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

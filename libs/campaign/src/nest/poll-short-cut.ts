import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { TRIGGER_HEADER } from '#device-protocol/index.js';
import { DeviceConnections, type DeviceIdentity } from '#identity/nest/identity.module.js';
import { requestTimes, ShortCuts } from '#runtime/nest/runtime.module.js';
import { isHeld, pollHeaders } from '../poll-answer.js';
import { DeviceVisits } from './device-visits.js';
import { PollIntervals } from './poll-intervals.js';
import { type Repository, ServedFiles, type ServedTimestamp } from './served-files.js';

/** Headers as node:http takes them without looking at each: name, value, name, value. */
interface Heads {
  intervalSeconds: number;
  anyone: string[];
  /** With the inbox that was told last: nearly all are the same, namely empty. */
  told: { inbox: string; head: string[] };
}

const timesOf = (status: string) =>
  requestTimes({ port: 'handset', method: 'GET', route: '/tuf/:tenant/:channel/timestamp.json', status });

/**
 * The availability request when all it needs is known: the timestamp, the device and its inbox. It answers as
 * CatalogueServer does, from what CatalogueServer and the guards have read, and leaves to them what is unknown, too old, or
 * asked in any other way.
 */
@Injectable()
export class PollShortCut implements OnModuleInit {
  private readonly heads = new WeakMap<ServedTimestamp, Heads>();
  private readonly times = { held: timesOf('304'), sent: timesOf('200') };

  constructor(
    @Inject(ServedFiles) private readonly files: ServedFiles,
    @Inject(DeviceConnections) private readonly connections: DeviceConnections,
    @Inject(DeviceVisits) private readonly visits: DeviceVisits,
    @Inject(ShortCuts) private readonly shortCuts: ShortCuts,
    @Inject(PollIntervals) private readonly intervals: PollIntervals,
  ) {}

  onModuleInit(): void {
    this.shortCuts.add((request, response) => this.answer(request, response));
  }

  private answer(request: IncomingMessage, response: ServerResponse): boolean {
    const began = performance.now();
    if (request.method !== 'GET') return false;
    const known = this.files.knownTimestamp(request.url!);
    if (known === undefined || hasBody(request.headers)) return false;
    const device = this.deviceOf(known.at, request);
    if (device === undefined) return false;
    const inbox = device === 'nobody' ? undefined : this.visits.knownInboxOf(device);
    if (device !== 'nobody' && inbox === undefined) return false;
    const { file } = known;
    const head = this.headOf(file, inbox);
    const held = isHeld(request.headers['if-none-match'], file.etag);
    if (held) response.writeHead(304, head).end();
    else response.writeHead(200, [...head, 'content-length', String(file.bytes.length)]).end(file.bytes);
    if (device !== 'nobody')
      this.visits.polled(device, file, { header: request.headers[TRIGGER_HEADER]?.toString(), sent: !held });
    this.times[held ? 'held' : 'sent'](performance.now() - began);
    return true;
  }

  /** A device of another tenant or channel reads as anyone does. */
  private deviceOf(
    { tenant, channel }: Repository,
    { socket }: IncomingMessage,
  ): DeviceIdentity | 'nobody' | undefined {
    const device = this.connections.knownDevice(socket);
    if (device === undefined || device === 'nobody') return device;
    return device.tenant === tenant && device.channel === channel ? device : 'nobody';
  }

  private headOf(file: ServedTimestamp, inbox: string | undefined): string[] {
    const intervalSeconds = this.intervals.seconds();
    const known = this.heads.get(file);
    const heads = known?.intervalSeconds === intervalSeconds ? known : this.newHeads(file, intervalSeconds);
    if (inbox === undefined) return heads.anyone;
    if (heads.told.inbox !== inbox) heads.told = { inbox, head: flatHead({ etag: file.etag, intervalSeconds, inbox }) };
    return heads.told.head;
  }

  private newHeads(file: ServedTimestamp, intervalSeconds: number): Heads {
    const anyone = flatHead({ etag: file.etag, intervalSeconds });
    const heads = { intervalSeconds, anyone, told: { inbox: '', head: [] } };
    this.heads.set(file, heads);
    return heads;
  }
}

const flatHead = (about: Parameters<typeof pollHeaders>[0]): string[] => Object.entries(pollHeaders(about)).flat();

/** The ordinary route reads it, or refuses it. */
const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers['content-length'] !== undefined ||
  headers['transfer-encoding'] !== undefined ||
  headers['content-encoding'] !== undefined;

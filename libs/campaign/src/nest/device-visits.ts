import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { formatTrigger, parseTrigger, TRIGGER_HEADER } from '#device-protocol/index.js';
import { DeliverRules, type DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { deviceContext, FactWriter } from './fact-writer.js';
import { Inboxes } from './inbox.js';
import { PollRecorder } from './poll-recorder.js';
import type { ServedTimestamp } from './served-files.js';

/** What is known of a device because it came by. */
@Injectable()
export class DeviceVisits {
  constructor(
    @Inject(PollRecorder) private readonly polls: PollRecorder,
    @Inject(Inboxes) private readonly inboxes: Inboxes,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async inboxOf(device: DeviceIdentity): Promise<string> {
    return (await this.inboxes.of(device)).etag;
  }

  polled(
    device: DeviceIdentity,
    { digest }: ServedTimestamp,
    { request, sent }: { request: FastifyRequest; sent: boolean },
  ): void {
    const trigger = parseTrigger(request.headers[TRIGGER_HEADER]?.toString()) ?? { rule: 'unknown', version: 0 };
    this.polls.record(device, {
      deviceNo: device.deviceNo,
      at: this.clock.now(),
      rule: formatTrigger(trigger),
      answer: sent ? 'sent' : 'not-modified',
      digest,
    });
  }

  /** The descriptions go out with the snapshot that names them; a snapshot of the past is nobody's news. */
  async described(
    { tenant, deviceId, channel }: DeviceIdentity,
    name: string,
    { snapshotVersion, digest }: ServedTimestamp,
  ): Promise<void> {
    if (name !== `${snapshotVersion}.snapshot.json`) return;
    const event = { type: 'DescriptionsSent' as const, data: { channel, snapshotVersion, digest } };
    await this.writer.append([{ subject: deviceId, context: deviceContext(tenant, deviceId), event }]);
  }

  /** A handset fetches a version of its rules once, when the snapshot first names it; behind a CDN nobody hears of it. */
  async gotRules(device: DeviceIdentity, version: number): Promise<void> {
    await this.commands.execute(new DeliverRules(device, version));
  }
}

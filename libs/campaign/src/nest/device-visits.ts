import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { formatTrigger, parseTrigger } from '#device-protocol/index.js';
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

  inboxOf(device: DeviceIdentity): Promise<string> {
    return this.inboxes.etagOf(device);
  }

  /** The same where nobody has to be asked; undefined where the database has to. */
  knownInboxOf(device: DeviceIdentity): string | undefined {
    return this.inboxes.knownEtagOf(device);
  }

  /** @param header `Muster-Trigger`, as it came. @param sent whether it got the timestamp, and not a 304 */
  polled(
    device: DeviceIdentity,
    { digest }: ServedTimestamp,
    { header, sent }: { header: string | undefined; sent: boolean },
  ): void {
    this.polls.record(device, {
      deviceNo: device.deviceNo,
      at: this.clock.now(),
      rule: ruleOf(header),
      answer: sent ? 'sent' : 'not-modified',
      digest,
    });
  }

  /** Where the server matches. @param digest of what it selected from */
  asked(device: DeviceIdentity, digest: string, { header, fits }: { header: string | undefined; fits: boolean }): void {
    this.polls.record(device, {
      deviceNo: device.deviceNo,
      at: this.clock.now(),
      rule: ruleOf(header),
      answer: fits ? 'fits' : 'no-fit',
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

const ruleOf = (header: string | undefined): string =>
  formatTrigger(parseTrigger(header) ?? { rule: 'unknown', version: 0 });

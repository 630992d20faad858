import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { newId } from '#runtime/index.js';
import type { DeviceIdentity } from './devices.js';
import { Handsets } from './handsets.js';

type Recipient = Pick<DeviceIdentity, 'tenant' | 'deviceId' | 'channel'>;

/** A device was sent a version of its channel's rules. Recorded once; to repeat it, or to tell of an older one, changes nothing. */
export class DeliverRules extends Command<void> {
  constructor(
    readonly to: Recipient,
    readonly version: number,
  ) {
    super();
  }
}

@CommandHandler(DeliverRules)
export class DeliverRulesHandler implements ICommandHandler<DeliverRules> {
  constructor(@Inject(Handsets) private readonly handsets: Handsets) {}

  execute({ to, version }: DeliverRules): Promise<void> {
    return deliverRules(this.handsets, to, version);
  }
}

export async function deliverRules(
  handsets: Handsets,
  { tenant, deviceId, channel }: Recipient,
  version: number,
): Promise<void> {
  const context = { tenant, actor: `device:${deviceId}`, commandId: newId() };
  await handsets.run(context, deviceId, async () => ({ type: 'DeliverRules', data: { deviceId, channel, version } }));
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventContext, Tx } from '#event-log/index.js';
import { requireVersion } from '#runtime/nest/runtime.module.js';
import type { HandsetCommand } from '../handset.js';
import { Devices } from './devices.js';
import { Handsets } from './handsets.js';
import type { DeviceView } from './views.dto.js';

/** What people do to a device's identity; the event names them, so it is its own audit record. */
export type HandsetOrder = Extract<HandsetCommand, { type: 'RevokeHandset' | 'ForgetHandset' }>;

export class RunHandset extends Command<DeviceView> {
  constructor(
    readonly order: HandsetOrder,
    readonly context: EventContext,
    /** The version that the caller saw; undefined = whatever it is. */
    readonly version?: number,
  ) {
    super();
  }
}

@CommandHandler(RunHandset)
export class RunHandsetHandler implements ICommandHandler<RunHandset> {
  constructor(
    @Inject(Handsets) private readonly handsets: Handsets,
    @Inject(Devices) private readonly devices: Devices,
  ) {}

  /** @throws IdentityError `device.unknown`, also for a device of another tenant */
  async execute({ order, context, version }: RunHandset): Promise<DeviceView> {
    const { tenant } = context;
    const { deviceId } = order.data;
    await this.handsets.run(context, deviceId, async (tx, { version: current }) => {
      requireVersion(version, current);
      if (order.type === 'ForgetHandset') await forgetCodes(tx, tenant, deviceId);
      return order;
    });
    return this.devices.get(tenant, deviceId);
  }
}

const forgetCodes = (tx: Tx, tenant: string, deviceId: string) =>
  tx.query('update ops.enrolment_code set label = null where tenant = $1 and (device_id = $2 or replaces = $2)', [
    tenant,
    deviceId,
  ]);

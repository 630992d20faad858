import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, Keyring, type Tx } from '#event-log/index.js';
import { impossible, newId } from '#runtime/index.js';
import { commandCredential } from '../credentials.js';
import { IdentityError } from '../errors.js';
import type { HandsetCommand } from '../handset.js';
import { Controllers, NEVER } from './controllers.js';
import { Devices } from './devices.js';
import { nextDeviceNo } from './enrol.handler.js';
import { Handsets } from './handsets.js';
import type { EnrolledController } from './views.dto.js';

export type ControllerOrder =
  | { type: 'EnrolController'; data: { controllerId: string; channel: string; label: string } }
  | { type: 'IssueTargetToken'; data: { deviceId: string } };

export class RunController extends Command<EnrolledController> {
  constructor(
    readonly order: ControllerOrder,
    readonly context: EventContext,
  ) {
    super();
  }
}

/** hawkBit clients, as people make them known. Given again, a command shows the token that it made the first time. */
@CommandHandler(RunController)
export class RunControllerHandler implements ICommandHandler<RunController> {
  constructor(
    @Inject(Handsets) private readonly handsets: Handsets,
    @Inject(Controllers) private readonly controllers: Controllers,
    @Inject(Devices) private readonly devices: Devices,
    @Inject(Keyring) private readonly keyring: Keyring,
  ) {}

  /** @throws IdentityError `device.exists`, `device.unknown` */
  async execute({ order, context }: RunController): Promise<EnrolledController> {
    const { tenant } = context;
    const token = commandCredential('target', context, (name, length) => this.keyring.derive(name, length));
    const deviceId = await this.deviceOf(tenant, order, token.hash);
    await this.handsets.run(context, deviceId, (tx, { state }) => {
      // Decided before: the number that it would take would be missing among the others.
      if (state.status === 'active' && state.keyHash === token.hash)
        return Promise.resolve(replaceBy(deviceId, token.hash));
      return this.commandFor(tx, tenant, order, { deviceId, keyHash: token.hash });
    });
    return { ...(await this.devices.get(tenant, deviceId)), targetToken: token.text };
  }

  /** Whoever has this token already was enrolled by this command before. */
  private async deviceOf(tenant: string, { type, data }: ControllerOrder, keyHash: string): Promise<string> {
    if (type === 'IssueTargetToken') return data.deviceId;
    const known = await this.controllers.known(tenant, data.controllerId);
    return known?.keyHash === keyHash ? known.deviceId : newId();
  }

  private async commandFor(
    tx: Tx,
    tenant: string,
    order: ControllerOrder,
    device: { deviceId: string; keyHash: string },
  ): Promise<HandsetCommand> {
    switch (order.type) {
      case 'EnrolController': {
        const deviceNo = await nextDeviceNo(tx, tenant);
        return { type: 'EnrolHandset', data: { ...order.data, ...device, deviceNo, expiresAt: NEVER } };
      }
      case 'IssueTargetToken':
        await requireController(tx, tenant, device.deviceId);
        return replaceBy(device.deviceId, device.keyHash);
      default:
        return impossible(order);
    }
  }
}

/** A token would take the place of the certificate of any other device, and be good for nothing. */
async function requireController(tx: Tx, tenant: string, deviceId: string): Promise<void> {
  const rows = await tx.query('select 1 from ops.controller where tenant = $1 and device_id = $2', [tenant, deviceId]);
  if (rows.length === 0) throw new IdentityError('device.unknown', { deviceId }, 'no hawkBit client has this id');
}

const replaceBy = (deviceId: string, keyHash: string): HandsetCommand => ({
  type: 'ReplaceHandset',
  data: { deviceId, keyHash, expiresAt: NEVER },
});

import { Inject } from '@nestjs/common';
import {
  Command,
  CommandBus,
  CommandHandler,
  type ICommandHandler,
  type IQueryHandler,
  Query,
  QueryHandler,
} from '@nestjs/cqrs';
import type { AttributeValue } from '#device-protocol/index.js';
import type { EventContext } from '#event-log/index.js';
import { Devices, KeepAttributes, KeptAttributes } from '#identity/nest/identity.module.js';
import { checkKept, valuesOf } from '../values.js';
import { type DeviceAttributesView, viewOfValues } from './kept.dto.js';
import { LiveBoard } from './live-board.js';

/** Keeps attributes of a device, if the tenant's schema has them. */
export class DescribeDevice extends Command<DeviceAttributesView> {
  constructor(
    readonly deviceId: string,
    /** As they came; `null` removes. */
    readonly changes: Readonly<Record<string, unknown>>,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(DescribeDevice)
export class DescribeDeviceHandler implements ICommandHandler<DescribeDevice> {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Devices) private readonly devices: Devices,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  /** @throws IdentityError `device.unknown`; MatchingError `attributes.malformed` naming the attribute */
  async execute({ deviceId, changes, context }: DescribeDevice): Promise<DeviceAttributesView> {
    await this.devices.get(context.tenant, deviceId);
    const { schema } = await this.board.tenant(context.tenant);
    checkKept(schema, changes);
    const checked = changes as Readonly<Record<string, AttributeValue | null>>;
    const kept = await this.commands.execute(new KeepAttributes(deviceId, schema.version, checked, context));
    return viewOfValues(deviceId, valuesOf(null, kept, schema));
  }
}

/** What is known of one device. */
export class GetAttributes extends Query<DeviceAttributesView> {
  constructor(
    readonly tenant: string,
    readonly deviceId: string,
  ) {
    super();
  }
}

@QueryHandler(GetAttributes)
export class GetAttributesHandler implements IQueryHandler<GetAttributes> {
  constructor(
    @Inject(Devices) private readonly devices: Devices,
    @Inject(KeptAttributes) private readonly kept: KeptAttributes,
  ) {}

  /** @throws IdentityError `device.unknown`, also for a device of another tenant */
  async execute({ tenant, deviceId }: GetAttributes): Promise<DeviceAttributesView> {
    await this.devices.get(tenant, deviceId);
    return viewOfValues(deviceId, valuesOf(null, await this.kept.read(tenant, deviceId)));
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { type Clock, instant, Recent } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { HandsetEvent } from '../events.js';
import { type Kept, keptOf, NOTHING_KEPT } from '../handset.js';
import type { KeptValue } from '../events.js';
import type { DeviceIdentity } from './devices.js';
import { Handsets } from './handsets.js';

/** About 1 KB each. */
const KNOWN_AT_MOST = 20_000;

/** What is kept of devices, as their streams say; in memory by the version that their rows name, and in no table. */
@Injectable()
export class KeptAttributes {
  private readonly known = new Recent<string, { version: number; kept: Kept }>(KNOWN_AT_MOST);

  constructor(@Inject(PostgresLog) private readonly log: PostgresLog) {}

  /** For a device that asks: of most nothing is kept, and nobody is asked. */
  async of({
    tenant,
    deviceId,
    keptVersion: version,
  }: Pick<DeviceIdentity, 'tenant' | 'deviceId' | 'keptVersion'>): Promise<Kept> {
    if (version === 0) return NOTHING_KEPT;
    const name = `${tenant}/${deviceId}`;
    const known = this.known.get(name);
    if (known?.version === version) return known.kept;
    const kept = await this.read(tenant, deviceId);
    this.known.set(name, { version, kept });
    return kept;
  }

  async read(tenant: string, deviceId: string): Promise<Kept> {
    const records = await this.log.readStream<HandsetEvent>('muster.handset', tenant, deviceId);
    return keptOf(records.map(({ type, data }) => ({ type, data }) as HandsetEvent));
  }
}

/** Keeps attributes of a device, merged with what is kept; whoever gives it has checked the values against the schema. */
export class KeepAttributes extends Command<Kept> {
  constructor(
    readonly deviceId: string,
    readonly schemaVersion: number,
    readonly changes: Readonly<Record<string, KeptValue | null>>,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(KeepAttributes)
export class KeepAttributesHandler implements ICommandHandler<KeepAttributes> {
  constructor(
    @Inject(Handsets) private readonly handsets: Handsets,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws IdentityError `device.unknown`, also for a device of another tenant */
  async execute({ context, ...data }: KeepAttributes): Promise<Kept> {
    const { deviceId, schemaVersion, changes } = data;
    const at = instant(this.clock.now());
    const command = { type: 'KeepAttributes' as const, data: { deviceId, schemaVersion, at, changes } };
    const { state } = await this.handsets.run(context, deviceId, () => Promise.resolve(command));
    return 'kept' in state ? state.kept : NOTHING_KEPT;
  }
}

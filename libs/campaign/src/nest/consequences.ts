import { Inject, Injectable } from '@nestjs/common';
import type { EventRecord } from '#event-log/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import type { HandsetEvent } from '#identity/events.js';
import type { CampaignEvent, DeviceFactByServer } from '../events.js';
import { DdiDevices } from './ddi/ddi-devices.js';
import { DdiRows } from './ddi/ddi-rows.js';
import { Described } from './described.js';
import { InboxOrders } from './inbox-orders.js';
import { Leases } from './leases.js';

type Followed =
  | DeviceFactByHandset
  | CampaignEvent
  | Extract<DeviceFactByServer, { type: 'ContentDeclined' }>
  | Extract<HandsetEvent, { type: 'SubjectForgotten' }>;
type DataOf<Type> = Extract<Followed, { type: Type }>['data'];

/** What must happen because something happened; each may happen twice. */
@Injectable()
export class Consequences {
  constructor(
    @Inject(InboxOrders) private readonly orders: InboxOrders,
    @Inject(Leases) private readonly leases: Leases,
    @Inject(Described) private readonly described: Described,
    @Inject(DdiRows) private readonly ddiActions: DdiRows,
    @Inject(DdiDevices) private readonly ddiDevices: DdiDevices,
  ) {}

  async of(record: EventRecord): Promise<void> {
    const { tenant, subject, type, data, receivedAt: at } = record as EventRecord<Followed>;
    const device = { tenant, deviceId: subject };
    switch (type) {
      case 'TransferCompleted':
        await this.leases.transferred(device, data as DataOf<'TransferCompleted'>, at);
        return this.orders.afterTransfer(device, data as DataOf<'TransferCompleted'>);
      case 'ProcessingAcknowledged':
        return this.orders.afterProcessing(device, data as DataOf<'ProcessingAcknowledged'>);
      case 'InstallReported':
        return this.afterInstall(device, data as DataOf<'InstallReported'>, at);
      case 'OutcomeConfirmed':
      case 'ContentDeclined':
        return this.leases.end(device, data as DataOf<'ContentDeclined'>, at);
      case 'CampaignAborted':
        return this.orders.afterAbort(tenant, data as DataOf<'CampaignAborted'>);
      case 'SubjectForgotten':
        await this.ddiDevices.forget(device);
        await this.ddiActions.forget(device);
        return this.described.forget(device);
      default: // nothing follows from it
    }
  }

  private async afterInstall(
    device: { tenant: string; deviceId: string },
    data: DataOf<'InstallReported'>,
    at: string,
  ): Promise<void> {
    if (data.outcome === 'failed') await this.leases.end(device, data, at);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { PostgresLog, type RowName, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import { type Clock, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { CampaignEvent, DeviceFactByServer } from '../events.js';
import { itemId, nextProcessing } from '../processing.js';
import { closeItem, Inboxes, insertItem } from './inbox.js';
import { LiveBoard } from './live-board.js';

type FactOf<Type> = Extract<DeviceFactByHandset, { type: Type }>['data'];

const RECALL_PAGE = 1_000;

/** Puts orders into inboxes, each once. */
@Injectable()
export class InboxOrders {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Inboxes) private readonly inboxes: Inboxes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The content is there: its first application is told. */
  async afterTransfer(to: RowName, { contentId, campaignId, sha256 }: FactOf<'TransferCompleted'>): Promise<void> {
    const { contents } = await this.board.tenant(to.tenant);
    if (contents.get(contentId)?.published?.sha256 !== sha256) return;
    await this.databases.actor.inTenant(to.tenant, (tx) => this.order(tx, to, { contentId, campaignId, done: 0 }));
    this.inboxes.changed(to);
  }

  /** An application is done: the next is told. One that failed ends the row. */
  async afterProcessing(to: RowName, { inboxId, outcome }: FactOf<'ProcessingAcknowledged'>): Promise<void> {
    await this.databases.actor.inTenant(to.tenant, async (tx) => {
      const item = await closeItem(tx, to, inboxId, this.clock.now());
      if (item?.kind !== 'process' || outcome !== 'done') return;
      await this.order(tx, to, { ...item, done: item.order + 1 });
    });
    this.inboxes.changed(to);
  }

  /** Row and fact commit together; whoever finds the row there has nothing left to do. */
  private async order(
    tx: Tx,
    to: RowName,
    { contentId, campaignId, done }: { contentId: string; campaignId: string; done: number },
  ): Promise<void> {
    const { contents, campaigns } = await this.board.tenant(to.tenant);
    const applications = contents.get(contentId)?.published?.description.applications ?? [];
    const item = nextProcessing({ ...to, contentId, campaignId }, applications, done);
    const campaign = campaigns.get(campaignId);
    if (item === undefined || campaign === undefined || campaign.recalled) return;
    if (!(await insertItem(tx, to, item, this.clock.now()))) return;
    const { application, order, id: inboxId } = item;
    const event: DeviceFactByServer = {
      type: 'ProcessingOrdered',
      data: { contentId, campaignId, application, order, inboxId },
    };
    const context = { tenant: to.tenant, actor: 'system:follow-up', commandId: newId() };
    // Numbered by its item: where the fact is durable before the row (on Kafka), a repeat of this order is dropped by readers.
    const sequence = { source: `order:${inboxId}`, epoch: 1, n: 1 };
    await this.log.appendFactsIn(tx, 'muster.device', [{ subject: to.deviceId, context, event, sequence }]);
  }

  /** Everyone who holds a grant of a recalled campaign is told, its lease is ended, and what was ordered for it is taken back. */
  async afterAbort(
    tenant: string,
    { campaignId, disposition }: Extract<CampaignEvent, { type: 'CampaignAborted' }>['data'],
  ): Promise<void> {
    if (disposition !== 'recall') return;
    let last: { device_id: string; content_id: string } | undefined;
    do last = await this.recallPage(tenant, campaignId, last);
    while (last !== undefined);
  }

  private async recallPage(
    tenant: string,
    campaignId: string,
    after?: { device_id: string; content_id: string },
  ): Promise<{ device_id: string; content_id: string } | undefined> {
    const told = await this.databases.actor.inTenant(tenant, async (tx) => {
      const rows = await tx.query<{ device_id: string; content_id: string }>(
        `select device_id, content_id from ops.granted where tenant = $1 and campaign_id = $2
           and ($3::uuid is null or (device_id, content_id) > ($3::uuid, $4::uuid))
         order by device_id, content_id limit $5`,
        [tenant, campaignId, after?.device_id ?? null, after?.content_id ?? null, RECALL_PAGE],
      );
      const now = this.clock.now();
      for (const { device_id: deviceId, content_id: contentId } of rows) {
        const to = { tenant, deviceId };
        await tx.query(
          `update ops.inbox_item set done_at = $4 where tenant = $1 and device_id = $2 and done_at is null
           and body->>'kind' = 'process' and body->>'campaignId' = $3`,
          [tenant, deviceId, campaignId, new Date(now)],
        );
        await tx.query(
          `update ops.granted set ended_at = coalesce(ended_at, $5)
           where tenant = $1 and campaign_id = $2 and device_id = $3 and content_id = $4`,
          [tenant, campaignId, deviceId, contentId, new Date(now)],
        );
        const id = itemId('cancel', { ...to, contentId, campaignId });
        await insertItem(tx, to, { id, kind: 'cancel', campaignId, contentId }, now);
      }
      return rows;
    });
    for (const { device_id: deviceId } of told) this.inboxes.changed({ tenant, deviceId });
    return told.length < RECALL_PAGE ? undefined : told.at(-1);
  }
}

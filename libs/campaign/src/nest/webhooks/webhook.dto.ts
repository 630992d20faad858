import { ArrayMinSize, ArrayUnique, IsArray, IsBoolean, IsIn, IsString, IsUUID, MaxLength } from 'class-validator';
import { NOTICE_KINDS, type NoticeKind } from '../../notices.js';

export class WebhookParams {
  /** Webhook id. */
  @IsUUID()
  webhookId!: string;
}

export class WebhookDto {
  /** https. Private addresses, this machine, and http to them want the server's setting `MUSTER_PRIVATE_TARGETS`. */
  @IsString()
  @MaxLength(2_000)
  url!: string;

  /** What is told there: halted (by a stop rule or a gate), paused and aborted (by a person), completed, approval-needed. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(NOTICE_KINDS, { each: true })
  kinds: NoticeKind[] = [...NOTICE_KINDS];

  /** While false nothing goes there: what happens meanwhile is not told later, what waits is given up after its day. */
  @IsBoolean()
  enabled: boolean = true;
}

export class WebhookView {
  webhookId!: string;
  url!: string;
  kinds!: NoticeKind[];
  enabled!: boolean;
  createdAt!: string;
  /** When a notice was taken last; null: never. */
  lastDeliveredAt!: string | null;
  /** When an attempt failed last; null: never. */
  lastFailedAt!: string | null;
  /** Why it did: a status, or what went wrong with the connection. */
  lastFailure!: string | null;
  /** Notices that are still to be delivered. */
  waiting!: number;
  /** Notices that were given up, of the last seven days. */
  givenUp!: number;
}

export class WebhookAdded extends WebhookView {
  /** Key of the signatures: `Muster-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. Shown in this answer alone. */
  secret!: string;
}

export class WebhookList {
  items!: WebhookView[];
}

export class DeliveryView {
  /** As in the header `Muster-Delivery`. */
  deliveryId!: string;
  /** Id of the event, as in the message. */
  noticeId!: string;
  /** E.g. `campaign.halted`. */
  type!: string;
  campaignId!: string;
  /** When it happened. */
  at!: string;
  /** waiting, delivered, or given-up after a day of attempts. */
  state!: DeliveryState;
  attempts!: number;
  /** When it is tried next, if it waits. */
  nextAttemptAt!: string | null;
  /** When it was delivered or given up. */
  endedAt!: string | null;
  /** Why the last attempt failed. */
  failure!: string | null;
}
export type DeliveryState = 'waiting' | 'delivered' | 'given-up';

export class WebhookShown extends WebhookView {
  /** The newest 20 of the last seven days, the newest first. */
  deliveries!: DeliveryView[];
}

export class WebhookSecret {
  webhookId!: string;
  /** The new key of the signatures, shown in this answer alone; the one before is good no more. */
  secret!: string;
}

export class WebhookTested {
  /** Whether it was taken: a status of 2xx. */
  isTaken!: boolean;
  /** Why it was not. */
  failure!: string | null;
}

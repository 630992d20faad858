import { unpackPolls } from '#campaign/events.js';
import type { EventRecord } from '#event-log/index.js';
import { instant } from '#runtime/index.js';
import { observed } from './observed.js';
import { Fold } from './rows.js';
import { tell } from './timeline-text.js';

/** One line of a device's timeline. */
export interface LineRow {
  tenant: string;
  deviceId: string;
  /** When it happened, by the clock of who saw it; then when it came here. */
  eventAt: string;
  receivedAt: string;
  topic: string;
  part: number;
  off: number;
  event: string;
  text: string;
  campaignId: string | null;
  contentId: string | null;
  code: string | null;
  label: string | null;
}

/** One poll; the device has only its number here, which `HandsetRow` resolves. */
export interface PolledRow {
  tenant: string;
  deviceNo: number;
  eventAt: string;
  receivedAt: string;
  part: number;
  off: number;
  /** Place in its batch, because the polls of one record share its offset. */
  item: number;
  rule: string;
  answer: string;
}

export interface NumberRow {
  tenant: string;
  deviceNo: number;
  deviceId: string;
}

/** What one batch adds to the timelines. */
export class TimelineFold {
  /** One a record, and one a poll of a record: no two have one key. */
  readonly lines: LineRow[] = [];
  readonly polls: PolledRow[] = [];
  readonly numbers = new Fold<NumberRow>((row) => [row.tenant, row.deviceNo]);
  readonly forgotten = new Fold<{ tenant: string; deviceId: string }>((row) => [row.tenant, row.deviceId]);

  static of(batch: readonly EventRecord[]): TimelineFold {
    const fold = new TimelineFold();
    for (const record of batch) fold.add(record);
    return fold;
  }

  private add(record: EventRecord): void {
    const { tenant, receivedAt } = record;
    const event = observed(record);
    if (event.type === 'PollsRecorded') {
      unpackPolls(event.data).forEach(({ deviceNo, at, rule, answer }, item) => {
        const eventAt = instant(at);
        this.polls.push({
          tenant,
          deviceNo,
          eventAt,
          receivedAt,
          part: record.partition,
          off: record.offset,
          item,
          rule,
          answer,
        });
      });
      return;
    }
    if (event.type === 'HandsetEnrolled') {
      const { deviceNo, deviceId } = event.data;
      this.numbers.put({ tenant, deviceNo, deviceId });
    }
    if (event.type === 'SubjectForgotten') this.forgotten.put({ tenant, deviceId: record.subject });
    const told = tell(record.type, record.data);
    if (told !== undefined) this.lines.push(lineOf(record, told));
  }
}

const lineOf = (record: EventRecord, told: NonNullable<ReturnType<typeof tell>>): LineRow => ({
  tenant: record.tenant,
  deviceId: record.subject,
  eventAt: record.occurredAt,
  receivedAt: record.receivedAt,
  topic: record.topic,
  part: record.partition,
  off: record.offset,
  event: record.type,
  text: told.text,
  campaignId: told.campaignId ?? null,
  contentId: told.contentId ?? null,
  code: told.code ?? null,
  label: told.label ?? null,
});

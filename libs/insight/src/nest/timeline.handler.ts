import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Cursors } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import { LINE_ORDER, linesSql } from '../views/lines.js';
import { ReadModels } from './read-models.js';
import type { TimelineDto, TimelineLineDto, TimelineQuery } from './timeline.dto.js';

export class ReadTimeline extends Query<TimelineDto> {
  constructor(
    readonly tenant: string,
    readonly deviceId: string,
    readonly query: TimelineQuery,
    readonly maySeePersonal: boolean,
    readonly ended: AbortSignal,
  ) {
    super();
  }
}

interface Row {
  event_at: Date;
  received_at: Date;
  topic: string;
  part: number;
  off: string;
  item: number;
  event: string;
  text: string;
  campaign_id: string | null;
  content_id: string | null;
  code: string | null;
  label: string | null;
}

/** The key of `LINE_ORDER` before every line. */
const BEGINNING = ['-infinity', '', 0, 0, 0] as const;

@QueryHandler(ReadTimeline)
export class ReadTimelineHandler implements IQueryHandler<ReadTimeline> {
  constructor(
    @Inject(ReadModels) private readonly models: ReadModels,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  /** @throws InsightError `device.unknown`: nothing is known of it, or was then */
  execute({ tenant, deviceId, query, maySeePersonal, ended }: ReadTimeline): Promise<TimelineDto> {
    const list = `timeline:${tenant}:${deviceId}`;
    const after = this.cursors.after(list, query) ?? BEGINNING;
    return this.models.read('device_timeline', { tenant, asOf: query.as_of, ended }, async (db, position) => {
      const rows = await db.query<Row[]>(
        `select * from (${linesSql()}) l where tenant = $1 and device_id = $2
           and (${LINE_ORDER}) > ($3::timestamptz, $4::text, $5::int, $6::bigint, $7::int)
         order by ${LINE_ORDER} limit $8`,
        [tenant, deviceId, ...after, query.limit + 1],
      );
      if (rows.length === 0 && after === BEGINNING) throw new InsightError('device.unknown', { deviceId });
      const { items, next } = this.cursors.page(list, query, rows, (row) => [
        row.event_at.toISOString(),
        row.topic,
        row.part,
        row.off,
        row.item,
      ]);
      return { items: items.map((row) => lineOf(row, maySeePersonal)), next, position };
    });
  }
}

const lineOf = (row: Row, maySeePersonal: boolean): TimelineLineDto => ({
  eventAt: row.event_at.toISOString(),
  receivedAt: row.received_at.toISOString(),
  seq: `${row.topic}/${row.part}/${row.off}`,
  item: row.item,
  event: row.event,
  text: row.text,
  campaignId: row.campaign_id,
  contentId: row.content_id,
  code: row.code,
  label: maySeePersonal ? row.label : null,
});

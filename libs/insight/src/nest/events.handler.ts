import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { encodePosition, type EventRecord, type Position, TOPICS } from '#event-log/index.js';
import { EventCatalog, TailLog } from '#event-log/nest/event-log.module.js';
import { scan } from '../merge.js';
import { readPosition } from '../read-position.js';
import type { EventsDto, EventsQuery } from './events.dto.js';
import { eventView } from './event-view.js';

export class ReadEvents extends Query<EventsDto> {
  constructor(
    readonly tenant: string,
    readonly query: EventsQuery,
    readonly maySeePersonal: boolean,
  ) {
    super();
  }
}

@QueryHandler(ReadEvents)
export class ReadEventsHandler implements IQueryHandler<ReadEvents> {
  constructor(
    @Inject(TailLog) private readonly log: TailLog,
    @Inject(EventCatalog) private readonly catalog: EventCatalog,
  ) {}

  /** @throws EventLogError `position.malformed` */
  async execute({ tenant, query, maySeePersonal }: ReadEvents): Promise<EventsDto> {
    const topics = query.topic ?? TOPICS;
    const { records, position, isAtEnd } = await scan(this.log, {
      tenant,
      topics,
      from: await this.positionOf(query.from),
      limit: query.limit,
      wanted: wantedBy(query),
    });
    const items = records.map((record) => eventView(record, this.catalog.definitions, maySeePersonal));
    return { items, position: encodePosition(position), isAtEnd };
  }

  private async positionOf(from: string): Promise<Position> {
    if (from === 'start') return {};
    return from === 'end' ? this.log.heads() : readPosition(from, '/from');
  }
}

const wantedBy =
  ({ type, subject }: EventsQuery) =>
  (record: EventRecord): boolean =>
    (type === undefined || type.includes(record.type)) && (subject === undefined || subject === record.subject);

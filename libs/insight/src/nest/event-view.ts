import { type EventDefinitions, type EventRecord, wireType } from '#event-log/index.js';
import { permits, type Principal } from '#identity/index.js';
import { withoutPersonal } from '../redact.js';
import { seqOf } from '../views/rows.js';
import type { EventDto } from './events.dto.js';

/** Who acts on devices sees what is personal about them; analysts and the rest see it as if erased. */
export const maySeePersonal = (caller: Principal): boolean => permits(caller, 'device:write');

/** A record as routes show it. */
export const eventView = (
  record: EventRecord,
  definitions: readonly EventDefinitions[],
  withPersonal: boolean,
): EventDto => ({
  seq: seqOf(record),
  id: record.id,
  topic: record.topic,
  // A type of a newer program has kept its wire name.
  type: record.type.includes('.') ? record.type : wireType(record.topic, record.type, record.schemaVersion),
  name: record.type,
  subject: record.subject,
  actor: record.actor,
  commandId: record.commandId,
  correlationId: record.correlationId,
  occurredAt: record.occurredAt,
  receivedAt: record.receivedAt,
  data: withPersonal ? record.data : withoutPersonal(record, definitions),
});

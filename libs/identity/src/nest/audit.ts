import { type EventContext, type PostgresLog, type Tx } from '#event-log/index.js';
import type { AuditEvent } from '../events.js';

/**
 * Records a person's change of an operational row, in the transaction of the change.
 * @param object the row's kind names the stream
 */
export async function audit(log: PostgresLog, tx: Tx, context: EventContext, data: AuditEvent['data']): Promise<void> {
  const event: AuditEvent = { type: 'OperationAudited', data };
  await log.appendIn(tx, 'muster.audit', { subject: data.object.kind }, [event], context);
}

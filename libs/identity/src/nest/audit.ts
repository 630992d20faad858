import { type EventContext, type PostgresLog, type Tx } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import type { AuditEvent } from '../events.js';

/**
 * Records a person's change of an operational row, in the transaction of the change.
 * @param object the row's kind names the stream
 */
export async function audit(log: PostgresLog, tx: Tx, context: EventContext, data: AuditEvent['data']): Promise<void> {
  const event: AuditEvent = { type: 'OperationAudited', data };
  // The log would drop a second event of one command in one stream; here each one stands beside a change that was made.
  const each = { ...context, commandId: newId(), correlationId: context.correlationId ?? context.commandId };
  await log.appendIn(tx, 'muster.audit', { subject: data.object.kind }, [event], each);
}

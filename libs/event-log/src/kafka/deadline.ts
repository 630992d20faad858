import { EventLogError } from '../event-log.js';
import { DEADLINE_MS } from './kafka-client.js';

/**
 * Waits for an answer of Kafka no longer than the deadline: kafkajs retries inside, and with the broker away its promise
 * may never settle.
 * @throws EventLogError `log.unavailable` in place of whatever the library said
 */
export async function withinDeadline<T>(
  call: string,
  work: () => Promise<T>,
  { deadlineMs = DEADLINE_MS, details = {} }: { deadlineMs?: number; details?: Record<string, unknown> } = {},
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    if (error instanceof EventLogError) throw error;
    const cause = error instanceof Error ? error.message : String(error);
    throw new EventLogError('log.unavailable', { call, cause, ...details }, `Kafka: ${cause}`);
  } finally {
    clearTimeout(timer);
  }
}

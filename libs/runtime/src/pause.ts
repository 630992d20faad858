import { setTimeout as sleep } from 'node:timers/promises';

/** Waits so long, or until the signal comes; it never rejects, since whoever loops looks at the signal itself. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

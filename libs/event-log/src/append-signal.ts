import { EventEmitter } from 'node:events';

/** Wakes this process's readers when one of its writers has committed; other processes are found by polling. */
const signal = new EventEmitter().setMaxListeners(0);

export const announceAppend = (): void => void signal.emit('appended');

/** Resolves at the next append of this process, after `timeoutMs`, or when aborted. */
export function appendOrTimeout(timeoutMs: number, abort?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeListener('appended', done);
      abort?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, timeoutMs);
    signal.once('appended', done);
    abort?.addEventListener('abort', done, { once: true });
    if (abort?.aborted) done();
  });
}

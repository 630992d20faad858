import { useSyncExternalStore } from 'react';

const KEPT = 'muster-operations';
const listeners = new Set<() => void>();

const read = (): readonly string[] => {
  try {
    const ids: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
  } catch {
    return []; // written by something else
  }
};
let ids = read();

function set(next: readonly string[]): void {
  ids = next;
  localStorage.setItem(KEPT, JSON.stringify(next));
  for (const listener of listeners) listener();
}

/** What was begun here and goes on after its 202; it is the server's, so only its id is kept. */
export const keepOperation = (id: string): void => set([...ids.filter((each) => each !== id), id]);
export const forgetOperation = (id: string): void => set(ids.filter((each) => each !== id));

export const useKeptOperations = (): readonly string[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => ids,
  );

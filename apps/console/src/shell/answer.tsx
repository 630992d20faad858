import type { ReactNode } from 'react';
import { Trouble, Waiting } from './panels.js';

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** What a query came to: its data, or which panel stands in its place. Old data stays while a new answer fails. */
export function Answer<T>({ of, children }: { of: Query<T>; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return children(of.data);
  if (of.error !== null) return <Trouble error={of.error} onRetry={() => void of.refetch()} />;
  return <Waiting />;
}

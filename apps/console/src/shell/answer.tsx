import type { ReactNode } from 'react';
import { PageHead } from './page-head.js';
import { Trouble, Waiting } from './panels.js';

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

interface AnswerProps<T> {
  of: Query<T>;
  /** Heads a page that is nothing but this, until its own head is there. */
  title?: string;
  children: (data: T) => ReactNode;
}

/** What a query came to: its data, or which panel stands in its place. Old data stays while a new answer fails. */
export function Answer<T>({ of, title, children }: AnswerProps<T>) {
  if (of.data !== undefined) return children(of.data);
  return (
    <>
      {title !== undefined && <PageHead title={title} />}
      {of.error === null ? <Waiting /> : <Trouble error={of.error} onRetry={() => void of.refetch()} />}
    </>
  );
}

import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { ApiProblem } from '../api/problem.js';
import { useWords } from './words.js';

interface PanelProps {
  kind: 'empty' | 'filtered' | 'failed' | 'denied';
  title: string;
  children?: ReactNode;
  acts?: ReactNode;
}

/** Nothing to show is four different things: there is none, none is let through, it failed, it is not for you. */
export function Panel({ kind, title, children, acts }: PanelProps) {
  return (
    <section className="panel" data-kind={kind} role={kind === 'failed' ? 'alert' : undefined}>
      <h2>{title}</h2>
      {children}
      {acts !== undefined && <div className="acts">{acts}</div>}
    </section>
  );
}

export function FilteredEmpty({ onClear }: { onClear: () => void }) {
  const { t } = useWords();
  const clear = (
    <Button variant="default" onClick={onClear}>
      {t('panel.clearFilters')}
    </Button>
  );
  return (
    <Panel kind="filtered" title={t('panel.filtered')} acts={clear}>
      <p>{t('panel.filteredHint')}</p>
    </Panel>
  );
}

/** What was refused or broke, by its status. */
export function Trouble({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useWords();
  const problem = error instanceof ApiProblem ? error : undefined;
  if (problem?.status === 403)
    return (
      <Panel kind="denied" title={t('panel.denied')}>
        <p>{t('panel.deniedHint')}</p>
      </Panel>
    );
  if (
    problem?.status === 404 ||
    (problem?.status === 400 && problem.fields.some(({ pointer }) => /id$/i.test(pointer)))
  )
    return (
      <Panel kind="empty" title={t('panel.unknown')}>
        <p>{t('panel.unknownHint')}</p>
      </Panel>
    );
  const retry = onRetry !== undefined && (
    <Button variant="default" onClick={onRetry}>
      {t('panel.retry')}
    </Button>
  );
  return (
    <Panel kind="failed" title={t('panel.failed')} acts={retry}>
      <p translate="no">{problem === undefined ? String(error) : `${problem.message} (${problem.code})`}</p>
      {problem?.traceId !== undefined && (
        <p>
          {t('panel.trace')}{' '}
          <span className="mono" translate="no">
            {problem.traceId}
          </span>
        </p>
      )}
    </Panel>
  );
}

export function Denied() {
  return <Trouble error={new ApiProblem(403, 'denied', '')} />;
}

export function Waiting() {
  const { t } = useWords();
  return (
    <p className="quiet" role="status" aria-busy="true">
      {t('panel.loading')}
    </p>
  );
}

import { Button } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { useEffect } from 'react';
import { operationQuery } from '../api/queries.js';
import type { Operation } from '../api/wire.js';
import { UploadLine, useUploads } from '../contents/upload-line.js';
import { uploads } from '../contents/uploads.js';
import { forgetOperation, useKeptOperations } from '../operations/kept-operations.js';
import { useWords } from './words.js';
import { When } from './when.js';

/** What takes its time: it goes on while pages change, and is here again after a reload. */
export function Tray() {
  const { t } = useWords();
  const active = useUploads().filter(({ state }) => state !== 'done');
  const ids = useKeptOperations();
  const operations = useQueries({ queries: ids.map((id) => operationQuery(id)) });
  useEffect(() => void uploads.wake(), []);
  if (active.length === 0 && ids.length === 0) return null;
  return (
    <aside className="tray" aria-label={t('tray.title')}>
      <h2>{t('tray.title')}</h2>
      <ul className="plain-list">
        {active.map((upload) => (
          <li key={upload.id}>
            <UploadLine upload={upload} />
          </li>
        ))}
        {operations.map(({ data, error }, n) => (
          <li key={ids[n]}>
            <OperationLine operation={data} isLost={error !== null} onForget={() => forgetOperation(ids[n] ?? '')} />
          </li>
        ))}
      </ul>
    </aside>
  );
}

interface LineProps {
  operation: Operation | undefined;
  isLost: boolean;
  onForget: () => void;
}

function OperationLine({ operation, isLost, onForget }: LineProps) {
  const { t } = useWords();
  if (operation === undefined && !isLost) return <p className="quiet">{t('panel.loading')}</p>;
  const status = operation?.status ?? 'lost';
  return (
    <div>
      <div>
        {operation !== undefined && t(operation.kind === 'projection.rebuild' ? 'tray.rebuild' : 'tray.verify')}{' '}
        <span translate="no">{operation?.object}</span>
      </div>
      {status === 'running' && <progress className="bar-progress wide" aria-label={t('tray.running')} />}
      <div className="quiet" role="status">
        {t(`tray.${status}`)} {operation !== undefined && <When at={operation.startedAt} />}
      </div>
      {status !== 'running' && (
        <Button size="compact-xs" variant="default" onClick={onForget}>
          {t('tray.forget')}
        </Button>
      )}
    </div>
  );
}

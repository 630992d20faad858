import { Button } from '@mantine/core';
import { useMutation, useQueries, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api } from '../api/client.js';
import { operationQuery } from '../api/queries.js';
import type { Operation } from '../api/wire.js';
import { UploadLine, useUploads } from '../contents/upload-line.js';
import { uploads } from '../contents/uploads.js';
import { useMay } from '../session/session.js';
import { forgetOperation, useKeptOperations } from '../operations/kept-operations.js';
import { tellTrouble } from './act-notice.js';
import { clock } from './format.js';
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
  const { status, progress } = operation ?? { status: 'lost', progress: null };
  return (
    <div>
      <div>
        {operation !== undefined && t(operation.kind === 'projection.rebuild' ? 'tray.rebuild' : 'tray.verify')}{' '}
        <span translate="no">{operation?.object}</span>
      </div>
      {status === 'running' && <Bar of={progress} />}
      <div className="quiet" role="status">
        {t(`tray.${status}`)} {operation !== undefined && <When at={operation.startedAt} />}
      </div>
      <HowFar of={progress} />
      {status === 'running' ? (
        <Cancel operation={operation} />
      ) : (
        <Button size="compact-xs" variant="default" onClick={onForget}>
          {t('tray.forget')}
        </Button>
      )}
    </div>
  );
}

function Cancel({ operation }: { operation: Operation | undefined }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const id = operation?.id ?? '';
  const cancel = useMutation({
    mutationFn: () => api.POST('/v1/operations/{id}/cancel', { params: { path: { id } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: operationQuery(id).queryKey }),
    onError: tellTrouble,
  });
  if (!may('projection:write')) return null;
  return (
    <Button size="compact-xs" variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
      {t('tray.cancel')}
    </Button>
  );
}

/** Without an end while nothing is known of how far it is. */
function Bar({ of }: { of: Operation['progress'] }) {
  const { t } = useWords();
  const known = of === null ? {} : { value: of.percent, max: 100 };
  return <progress className="bar-progress wide" aria-label={t('tray.running')} {...known} />;
}

function HowFar({ of }: { of: Operation['progress'] }) {
  const { t, count, percent: share } = useWords();
  if (of === null) return null;
  const { percent, perSecond, etaSeconds } = of;
  const parts = [
    share(percent / 100),
    t('tray.rate', { rate: count(Math.round(perSecond)) }),
    ...(etaSeconds === null ? [] : [clock(etaSeconds * 1_000)]),
  ];
  return <div className="quiet">{parts.join(' · ')}</div>;
}

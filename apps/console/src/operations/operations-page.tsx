import { Button, Group } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { api, dataOf } from '../api/client.js';
import { projectionsQuery } from '../api/queries.js';
import type { Projection } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { tellTrouble } from '../shell/act-notice.js';
import { Answer } from '../shell/answer.js';
import { DataTable } from '../shell/data-table.js';
import { PageHead } from '../shell/page-head.js';
import { useWords } from '../shell/words.js';
import { keepOperation } from './kept-operations.js';

const TONES = { live: 'go', behind: 'wait', rebuilding: 'wait', stopped: 'bad' } as const;

/** The read models: how far behind they are, and making them anew from the log. */
export function OperationsPage() {
  const { t, count } = useWords();
  const may = useMay();
  const query = useQuery(projectionsQuery);
  return (
    <>
      <PageHead title={t('nav.operations')} />
      <p className="quiet">{t('operations.hint')}</p>
      <Answer of={query}>
        {({ items }) => (
          <DataTable
            caption={t('nav.operations')}
            rows={items}
            rowKey={({ name }) => name}
            columns={[
              {
                id: 'name',
                head: t('operations.model'),
                cell: ({ name, version }) => <span translate="no">{`${name} v${version}`}</span>,
              },
              {
                id: 'state',
                head: t('contents.column.state'),
                cell: ({ state }) => (
                  <span className="state" data-tone={TONES[state]}>
                    {t(`operations.state.${state}`)}
                  </span>
                ),
              },
              {
                id: 'events',
                head: t('operations.events'),
                isNumber: true,
                cell: ({ lagEvents }) => <span translate="no">{count(lagEvents)}</span>,
              },
              {
                id: 'seconds',
                head: t('operations.seconds'),
                isNumber: true,
                cell: ({ lagSeconds }) => <span translate="no">{count(Math.round(lagSeconds))}</span>,
              },
              {
                id: 'parked',
                head: t('operations.parked'),
                isNumber: true,
                cell: ({ parked }) => <span translate="no">{count(parked)}</span>,
              },
              ...(may('projection:write')
                ? [{ id: 'acts', head: t('operations.acts'), cell: (model: Projection) => <Acts model={model} /> }]
                : []),
            ]}
          />
        )}
      </Answer>
    </>
  );
}

function Acts({ model: { name } }: { model: Projection }) {
  const { t } = useWords();
  const params = { path: { name } };
  const begin = useMutation({
    mutationFn: (kind: 'rebuild' | 'verify') =>
      dataOf(
        kind === 'rebuild'
          ? api.POST('/v1/projections/{name}/rebuild', { params })
          : api.POST('/v1/projections/{name}/verify', { params }),
      ),
    onSuccess: ({ id }) => keepOperation(id),
    onError: tellTrouble,
  });
  return (
    <Group gap="xs">
      {(['rebuild', 'verify'] as const).map((kind) => (
        <Button
          key={kind}
          size="compact-sm"
          variant="default"
          aria-label={t(`operations.${kind}Of`, { name })}
          onClick={() => begin.mutate(kind)}
        >
          {t(`operations.${kind}`)}
        </Button>
      ))}
    </Group>
  );
}

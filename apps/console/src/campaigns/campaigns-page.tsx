import { Button, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { campaignsQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { CopyLine } from '../shell/copy-line.js';
import { DataTable } from '../shell/data-table.js';
import { LinkButton } from '../shell/link-button.js';
import { PageHead } from '../shell/page-head.js';
import { FilteredEmpty, Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { CampaignState } from './campaign-state.js';
import { countOf, type ListSearch, shown, VIEW_NAMES } from './list-state.js';
import { NextStep } from './next-step.js';
import { ProgressCell } from './progress-cell.js';
import { SavedViews } from './saved-views.js';

export function CampaignsPage() {
  const { t } = useWords();
  const may = useMay();
  const query = useInfiniteQuery(campaignsQuery);
  const create = may('campaign:write') && <LinkButton to="/campaigns/new">{t('campaigns.new')}</LinkButton>;
  return (
    <>
      <PageHead title={t('nav.campaigns')} acts={create} />
      <Answer of={query}>
        {({ pages }) => {
          const campaigns = pages.flatMap(({ items }) => items);
          if (campaigns.length === 0) return <NoCampaign create={create} />;
          return (
            <>
              <List campaigns={campaigns} />
              {query.hasNextPage && (
                <Button
                  variant="default"
                  mt="sm"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  {t('list.more')}
                </Button>
              )}
            </>
          );
        }}
      </Answer>
    </>
  );
}

function NoCampaign({ create }: { create: React.ReactNode }) {
  const { t } = useWords();
  return (
    <Panel kind="empty" title={t('campaigns.none')} acts={create}>
      <p>{t('campaigns.noneHint')}</p>
      <CopyLine line="npm run -s muster -- demo" />
    </Panel>
  );
}

function List({ campaigns }: { campaigns: Campaign[] }) {
  const { t, count } = useWords();
  const search = useSearch({ from: '/inside/campaigns' });
  const navigate = useNavigate({ from: '/campaigns' });
  const change = (next: ListSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const rows = shown(campaigns, search);
  const view = search.view ?? 'all';
  return (
    <>
      <nav className="tabs" aria-label={t('campaigns.views')}>
        {VIEW_NAMES.map((name) => (
          <Link
            key={name}
            to="/campaigns"
            search={(old) => ({ ...old, view: name })}
            aria-current={name === view ? 'page' : undefined}
          >
            {t(`campaigns.view.${name}`)} <span translate="no">{count(countOf(campaigns, name))}</span>
          </Link>
        ))}
      </nav>
      <div className="filters">
        <TextInput
          data-filter
          type="search"
          aria-label={t('list.filter')}
          placeholder={t('list.filter')}
          value={search.q ?? ''}
          onChange={(event) => change({ q: event.currentTarget.value || undefined })}
        />
        <SavedViews search={search} />
      </div>
      {rows.length === 0 ? (
        <FilteredEmpty onClear={() => void navigate({ search: {} })} />
      ) : (
        <Rows rows={rows} sort={search.sort} onSort={(sort) => change({ sort })} />
      )}
    </>
  );
}

function Rows({ rows, sort, onSort }: { rows: Campaign[]; sort?: string; onSort: (sort: string) => void }) {
  const { t, percent } = useWords();
  return (
    <DataTable
      caption={t('nav.campaigns')}
      rows={rows}
      rowKey={({ campaignId }) => campaignId}
      sort={sort}
      onSort={onSort}
      columns={[
        {
          id: 'name',
          head: t('campaigns.column.name'),
          value: ({ name }) => name.toLowerCase(),
          cell: ({ campaignId, name }) => (
            <Link className="wrap" to="/campaigns/$campaignId" params={{ campaignId }} translate="no">
              {name}
            </Link>
          ),
        },
        {
          id: 'status',
          head: t('campaigns.column.status'),
          value: ({ status }) => status,
          cell: ({ status }) => <CampaignState status={status} />,
        },
        {
          id: 'channel',
          head: t('campaigns.column.channel'),
          value: ({ channel }) => channel,
          cell: ({ channel }) => <span translate="no">{channel}</span>,
        },
        { id: 'progress', head: t('campaigns.column.progress'), cell: (row) => <ProgressCell campaign={row} /> },
        {
          id: 'wave',
          head: t('campaigns.column.wave'),
          isNumber: true,
          value: ({ waveUpTo }) => waveUpTo,
          cell: ({ waveUpTo }) => percent(waveUpTo / 10_000),
        },
        { id: 'next', head: t('campaigns.column.next'), cell: (row) => <NextStep campaign={row} /> },
      ]}
    />
  );
}

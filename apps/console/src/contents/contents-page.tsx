import { Button, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { campaignsQuery, contentsQuery } from '../api/queries.js';
import type { Content } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { CopyLine } from '../shell/copy-line.js';
import { DataTable } from '../shell/data-table.js';
import { PageHead } from '../shell/page-head.js';
import { FilteredEmpty, Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { DropZone } from './drop-zone.js';
import { PublishForm } from './publish-form.js';
import { UploadLine, useUploads } from './upload-line.js';
import { uploads as store } from './uploads.js';

const CLI = 'npm run -s muster -- content publish <file>';

export function ContentsPage() {
  const { t } = useWords();
  const may = useMay();
  const query = useInfiniteQuery(contentsQuery);
  return (
    <>
      <PageHead title={t('nav.contents')} />
      <div className="column">
        {may('content:write') && <Incoming />}
        <Answer of={query}>
          {({ pages }) => {
            const contents = pages.flatMap(({ items }) => items);
            if (contents.length === 0)
              return (
                <Panel kind="empty" title={t('contents.none')}>
                  <p>{t(may('content:write') ? 'contents.noneHint' : 'contents.noneReader')}</p>
                  {may('content:write') && <CopyLine line={CLI} />}
                </Panel>
              );
            return (
              <>
                <List contents={contents} />
                {query.hasNextPage && (
                  <Button
                    variant="default"
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
      </div>
    </>
  );
}

/** Bytes come first, what they are is said after. */
function Incoming() {
  const { t } = useWords();
  const uploads = useUploads();
  return (
    <section className="card" aria-label={t('contents.upload')}>
      <DropZone onFiles={(files) => files.forEach((file) => void store.add(file))} />
      <ul className="plain-list waves">
        {uploads.map((upload) => (
          <li key={upload.id}>
            {upload.state === 'done' ? <PublishForm upload={upload} /> : <UploadLine upload={upload} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function List({ contents }: { contents: Content[] }) {
  const { t, bytes } = useWords();
  const { q = '', sort } = useSearch({ from: '/inside/contents' });
  const navigate = useNavigate({ from: '/contents' });
  const campaigns = useInfiniteQuery(campaignsQuery).data?.pages.flatMap(({ items }) => items) ?? [];
  const usedBy = (id: string) => campaigns.filter(({ contents: ids }) => ids.includes(id)).length;
  const words = q.toLowerCase();
  const rows = contents.filter(({ description: { name, version }, contentId, sha256 }) =>
    `${name} ${version} ${contentId} ${sha256}`.toLowerCase().includes(words),
  );
  return (
    <>
      <div className="filters">
        <TextInput
          data-filter
          type="search"
          aria-label={t('list.filter')}
          placeholder={t('list.filter')}
          value={q}
          onChange={({ currentTarget: { value } }) =>
            void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })
          }
        />
      </div>
      {rows.length === 0 ? (
        <FilteredEmpty onClear={() => void navigate({ search: {} })} />
      ) : (
        <DataTable
          caption={t('nav.contents')}
          rows={rows}
          rowKey={({ contentId }) => contentId}
          sort={sort}
          onSort={(next) => void navigate({ search: (old) => ({ ...old, sort: next }), replace: true })}
          columns={[
            {
              id: 'name',
              head: t('contents.column.name'),
              value: ({ description: { name } }) => name.toLowerCase(),
              cell: ({ contentId, description: { name } }) => (
                <Link className="wrap" to="/contents/$contentId" params={{ contentId }} translate="no">
                  {name}
                </Link>
              ),
            },
            {
              id: 'version',
              head: t('contents.column.version'),
              value: ({ description: { version } }) => version,
              cell: ({ description: { version } }) => (
                <span className="wrap" translate="no">
                  {version}
                </span>
              ),
            },
            {
              id: 'size',
              head: t('contents.column.size'),
              isNumber: true,
              value: ({ sizeBytes }) => sizeBytes,
              cell: ({ sizeBytes }) => <span translate="no">{bytes(sizeBytes)}</span>,
            },
            {
              id: 'digest',
              head: t('contents.column.digest'),
              cell: ({ sha256 }) => (
                <span className="mono" translate="no" title={sha256}>
                  {sha256.slice(0, 12)}…
                </span>
              ),
            },
            {
              id: 'used',
              head: t('contents.column.used'),
              isNumber: true,
              value: ({ contentId }) => usedBy(contentId),
              cell: ({ contentId }) => <span translate="no">{usedBy(contentId)}</span>,
            },
            {
              id: 'state',
              head: t('contents.column.state'),
              cell: ({ withdrawn }) => (
                <span className="state" data-tone={withdrawn ? 'bad' : 'go'}>
                  {t(withdrawn ? 'contents.withdrawn' : 'contents.available')}
                </span>
              ),
            },
          ]}
        />
      )}
    </>
  );
}

import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ifMatch } from '../api/client.js';
import { campaignsQuery, contentsQuery } from '../api/queries.js';
import type { Content } from '../api/wire.js';
import { CampaignState } from '../campaigns/campaign-state.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { Facts } from '../shell/facts.js';
import { PageHead } from '../shell/page-head.js';
import { ReasonDialog } from '../shell/reason-dialog.js';
import { useWords } from '../shell/words.js';
import { EVERYBODY } from '../wizard/draft-form.js';
import { contentQuery } from './content-query.js';

export function ContentPage() {
  const { t } = useWords();
  const { contentId } = useParams({ from: '/inside/contents/$contentId' });
  const query = useQuery(contentQuery(contentId));
  return (
    <Answer of={query} title={t('nav.contents')}>
      {(content) => <OneContent content={content} />}
    </Answer>
  );
}

function OneContent({ content }: { content: Content }) {
  const { t, bytes } = useWords();
  const may = useMay();
  const [isAsking, setAsking] = useState(false);
  const { contentId, description, selector, sha256, sizeBytes, withdrawn } = content;
  const used = useUses(contentId);
  const withdraw = may('content:write') && !withdrawn && (
    <Button color="red" variant="outline" onClick={() => setAsking(true)}>
      {t('withdraw.act')}
    </Button>
  );
  return (
    <>
      <PageHead
        title={`${description.name} ${description.version}`}
        isName
        crumb={<Link to="/contents">{t('nav.contents')}</Link>}
        state={
          <span className="state" data-tone={withdrawn ? 'bad' : 'go'}>
            {t(withdrawn ? 'contents.withdrawn' : 'contents.available')}
          </span>
        }
        acts={withdraw}
      />
      <div className="split">
        <section className="card">
          <h2>{t('content.manifest')}</h2>
          <Facts
            of={[
              [
                t('content.id'),
                <span key="i" className="mono" translate="no">
                  {contentId}
                </span>,
              ],
              [
                t('contents.column.size'),
                <span key="s" translate="no">
                  {bytes(sizeBytes)}
                </span>,
              ],
              [
                t('publish.mediaType'),
                <span key="m" translate="no">
                  {description.mediaType}
                </span>,
              ],
              [
                'sha-256',
                <span key="d" className="mono" translate="no">
                  {sha256}
                </span>,
                true,
              ],
              [
                t('publish.selector'),
                selector === EVERYBODY ? (
                  t('content.everybody')
                ) : (
                  <code key="r" className="mono" translate="no">
                    {selector}
                  </code>
                ),
              ],
              [
                t('content.applications'),
                description.applications !== undefined && (
                  <span key="a" translate="no">
                    {description.applications.join(' → ')}
                  </span>
                ),
              ],
              [
                t('content.domain'),
                description.securityDomain !== undefined && (
                  <span key="sd" className="mono" translate="no">
                    {description.securityDomain}
                  </span>
                ),
              ],
              ...Object.entries(description.attributes).map(
                ([name, value]) =>
                  [
                    name,
                    <span key={name} translate="no">
                      {JSON.stringify(value)}
                    </span>,
                    true,
                  ] as const,
              ),
            ]}
          />
        </section>
        <div className="column">
          <Versions content={content} />
          <section className="card">
            <h2>{t('contents.column.used')}</h2>
            {used.length === 0 && <p className="quiet">{t('content.unused')}</p>}
            <ul className="plain-list waves">
              {used.map(({ campaignId, name, status }) => (
                <li key={campaignId}>
                  <CampaignState status={status} />{' '}
                  <Link to="/campaigns/$campaignId" params={{ campaignId }} translate="no">
                    {name}
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        </div>
      </div>
      {isAsking && <Withdraw content={content} uses={used.length} onClose={() => setAsking(false)} />}
    </>
  );
}

const useUses = (contentId: string) =>
  (useInfiniteQuery(campaignsQuery).data?.pages.flatMap(({ items }) => items) ?? []).filter(({ contents }) =>
    contents.includes(contentId),
  );

/** Contents of the same name are versions of one thing. */
function Versions({ content }: { content: Content }) {
  const { t } = useWords();
  const all = useInfiniteQuery(contentsQuery).data?.pages.flatMap(({ items }) => items) ?? [];
  const others = all.filter(
    ({ contentId, description: { name } }) => name === content.description.name && contentId !== content.contentId,
  );
  if (others.length === 0) return null;
  return (
    <section className="card">
      <h2>{t('content.versions')}</h2>
      <ul className="plain-list">
        {others.map(({ contentId, description: { version } }) => (
          <li key={contentId}>
            <Link to="/contents/$contentId" params={{ contentId }} translate="no">
              {version}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Withdraw({ content, uses, onClose }: { content: Content; uses: number; onClose: () => void }) {
  const { t } = useWords();
  const queries = useQueryClient();
  const { contentId, version } = content;
  const run = async (reason: string) => {
    const params = { path: { contentId } };
    await api.POST('/v1/contents/{contentId}/withdraw', { params, headers: ifMatch(version), body: { reason } });
    await queries.invalidateQueries({ queryKey: ['contents'] });
  };
  return (
    <ReasonDialog
      title={t('withdraw.title', { name: content.description.name })}
      effect={t('withdraw.effect', { count: uses })}
      act={t('withdraw.act')}
      run={run}
      onClose={onClose}
    />
  );
}

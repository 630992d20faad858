import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { queryOptions } from '@tanstack/react-query';
import { api, dataOf } from '../api/client.js';
import { channelsQuery, schemaQuery } from '../api/queries.js';
import { Answer } from '../shell/answer.js';
import { CopyLine } from '../shell/copy-line.js';
import { DataTable } from '../shell/data-table.js';
import { PageHead } from '../shell/page-head.js';
import { Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { RuleCheck } from './rule-check.js';
import { RuleField } from './rule-field.js';
import { attributesOf } from './rule-query.js';

/** What rules can ask for, a place to try one, and the rules that handsets store. */
export function RulesPage() {
  const { t } = useWords();
  const { rule = '' } = useSearch({ from: '/inside/rules' });
  const navigate = useNavigate({ from: '/rules' });
  return (
    <>
      <PageHead title={t('nav.rules')} />
      <div className="column">
        <section className="card">
          <RuleField
            label={t('rules.try')}
            hint={t('rules.tryHint')}
            value={rule}
            onChange={(cel) => void navigate({ search: { rule: cel || undefined }, replace: true })}
          />
          <RuleCheck selector={rule} />
        </section>
        <div className="split">
          <Schema />
          <Triggers />
        </div>
      </div>
    </>
  );
}

function Schema() {
  const { t } = useWords();
  const schema = useQuery(schemaQuery);
  return (
    <section>
      <h2 className="section-title">{t('rules.schema')}</h2>
      <Answer of={schema}>
        {(data) => {
          const attributes = attributesOf(data);
          if (attributes.length === 0)
            return (
              <Panel kind="empty" title={t('rule.noSchema')}>
                <p>{t('rule.noSchemaHint')}</p>
                <CopyLine line="npm run -s muster -- schema publish schema.json" />
              </Panel>
            );
          return (
            <DataTable
              caption={t('rules.schema')}
              rows={attributes}
              rowKey={({ name }) => name}
              columns={[
                {
                  id: 'name',
                  head: t('device.attribute'),
                  cell: ({ name }) => (
                    <span className="mono" translate="no">
                      {name}
                    </span>
                  ),
                },
                {
                  id: 'type',
                  head: t('rules.type'),
                  cell: ({ type }) => (
                    <span className="mono" translate="no">
                      {type}
                    </span>
                  ),
                },
                {
                  id: 'what',
                  head: t('rules.description'),
                  cell: ({ description }) => (
                    <span className="wrap" translate="no">
                      {description}
                    </span>
                  ),
                },
              ]}
            />
          );
        }}
      </Answer>
    </section>
  );
}

const triggersQuery = (channel: string) =>
  queryOptions({
    queryKey: ['triggers', channel],
    queryFn: ({ signal }) => dataOf(api.GET('/v1/rules/{channel}', { signal, params: { path: { channel } } })),
  });

function Triggers() {
  const { t } = useWords();
  const channels = useQuery(channelsQuery);
  return (
    <section className="card">
      <h2>{t('rules.triggers')}</h2>
      <p className="quiet">{t('rules.triggersHint')}</p>
      <Answer of={channels}>
        {({ items }) => items.map(({ channel }) => <OfChannel key={channel} channel={channel} />)}
      </Answer>
    </section>
  );
}

function OfChannel({ channel }: { channel: string }) {
  const { t } = useWords();
  const rules = useQuery(triggersQuery(channel));
  return (
    <>
      <h3 translate="no">{channel}</h3>
      <Answer of={rules}>
        {({ rules: all }) =>
          all.length === 0 ? (
            <p className="quiet">{t('rules.noTriggers')}</p>
          ) : (
            <pre className="mono json" tabIndex={0} translate="no" aria-label={channel}>
              {JSON.stringify(all, null, 2)}
            </pre>
          )
        }
      </Answer>
    </>
  );
}

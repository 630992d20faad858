import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { campaignsQuery, channelsQuery, contentsQuery } from '../api/queries.js';
import { ApiProblem } from '../api/problem.js';
import { RuleTree, TruthSign } from '../devices/rule-tree.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { useWords } from '../shell/words.js';
import {
  type Audience,
  audienceQuery,
  type AudienceAsked,
  fitQuery,
  namedQuery,
  type Share,
} from './audience-queries.js';
import { ruleChanges } from './rule-changes.js';

/** A rule is counted when it has been written, not at each letter. */
const WRITING_MS = 600;

interface CheckProps {
  selector: string;
  /** Absent where the rule is not of one audience: any can be looked at then. */
  channel?: string;
  mode?: AudienceAsked['mode'];
  contents?: readonly string[];
}

/** What a rule comes to before anything is made of it: for whom it is, how that differs from what is there, and for one device. */
export function RuleCheck({ selector, channel: own, mode = 'server', contents = [] }: CheckProps) {
  const { t } = useWords();
  const may = useMay();
  const [chosen, choose] = useState('main');
  const channel = own ?? chosen;
  const [than, setThan] = useState('');
  const [asked] = useDebouncedValue(
    { selector: selector.trim() || 'true', channel, mode, content: contents, than },
    WRITING_MS,
  );
  const isAllowed = may('campaign:write');
  const query = useQuery({
    ...audienceQuery(asked),
    enabled: isAllowed,
    placeholderData: keepPreviousData,
    retry: false,
  });
  if (!isAllowed) return null;
  return (
    <div className="column rule-check">
      {own === undefined && <OfChannel value={chosen} onChange={choose} />}
      <div role="status" aria-label={t('check.title')}>
        <Counted query={query} />
      </div>
      <details>
        <summary>{t('check.compare')}</summary>
        <Running value={than} onChange={setThan} />
        {query.data?.thanSelector != null && (
          <Changes from={query.data.thanSelector} to={asked.selector} of={query.data} />
        )}
      </details>
      <details>
        <summary>{t('check.device')}</summary>
        <OneDevice selector={asked.selector} />
      </details>
    </div>
  );
}

function Counted({ query }: { query: { data: Audience | undefined; error: unknown; refetch: () => unknown } }) {
  const { t, count } = useWords();
  if (query.error instanceof ApiProblem && query.error.status < 500)
    return (
      <p className="failed-count" translate="no">
        {query.error.message}
      </p>
    );
  return (
    <Answer of={query}>
      {({ isKnowable, devices, looked, isPartial, ...shares }) => {
        if (!isKnowable || devices === null || looked === null)
          return <p className="quiet">{t('check.notKnowable')}</p>;
        const parts = PARTS.flatMap(({ name, truth }) =>
          shares[name] === null ? [] : [{ name, truth, share: shares[name] }],
        );
        return (
          <>
            <div className="audience-bar" aria-hidden="true">
              {parts.map(({ name, share }) => (
                <span key={name} data-part={name} style={{ flexGrow: share.devices }} />
              ))}
            </div>
            <dl className="audience">
              {parts.map(({ name, truth, share }) => (
                <Part key={name} sign={<TruthSign of={truth} />} name={t(`check.${name}`)} share={share} />
              ))}
            </dl>
            <p className="quiet">
              {looked < devices
                ? t('check.sample', { looked: count(looked), devices: count(devices) })
                : t('check.all', { count: devices, devices: count(devices) })}{' '}
              {isPartial && t('check.partial')}
            </p>
          </>
        );
      }}
    </Answer>
  );
}

const PARTS = [
  { name: 'matching', truth: true },
  { name: 'notMatching', truth: false },
  { name: 'unknown', truth: 'unknown' },
  { name: 'untold', truth: 'unknown' },
] as const;

function Part({ sign, name, share }: { sign?: ReactNode; name: string; share: Share }) {
  const { count } = useWords();
  const { devices, from, to } = share;
  return (
    <div>
      <dt>
        {sign} {name}
      </dt>
      <dd translate="no">
        {count(devices)} {from !== to && <span className="quiet">{`(${count(from)}–${count(to)})`}</span>}
      </dd>
    </div>
  );
}

/** Nothing to choose where there is one. */
function OfChannel({ value, onChange }: { value: string; onChange: (channel: string) => void }) {
  const { t } = useWords();
  const channels = useQuery(channelsQuery).data?.items ?? [];
  if (channels.length < 2) return null;
  return (
    <NativeSelect
      label={t('settings.channel')}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      data={channels.map(({ channel }) => channel)}
    />
  );
}

/** Contents and campaigns that are there, by their names. */
function Running({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const { t } = useWords();
  const contents = useInfiniteQuery(contentsQuery).data?.pages.flatMap(({ items }) => items) ?? [];
  const campaigns = useInfiniteQuery(campaignsQuery).data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <NativeSelect
      label={t('check.than')}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      data={[
        { value: '', label: t('check.nothing') },
        {
          group: t('nav.campaigns'),
          items: campaigns.map(({ campaignId, name }) => ({ value: campaignId, label: name })),
        },
        {
          group: t('nav.contents'),
          items: contents.map(({ contentId, description: { name, version } }) => ({
            value: contentId,
            label: `${name} ${version}`,
          })),
        },
      ]}
    />
  );
}

function Changes({ from, to, of: { gained, lost } }: { from: string; to: string; of: Audience }) {
  const { t } = useWords();
  const changes = ruleChanges(from, to);
  return (
    <>
      <dl className="audience">
        {gained !== null && <Part name={t('check.gained')} share={gained} />}
        {lost !== null && <Part name={t('check.lost')} share={lost} />}
      </dl>
      {changes.length === 0 && <p className="quiet">{t('check.same')}</p>}
      <ul className="plain-list">
        {changes.map(({ kind, condition }) => (
          <li key={`${kind} ${condition}`} data-change={kind}>
            <span className="quiet">{t(`check.${kind}`)}</span>{' '}
            <code className="mono" translate="no">
              {condition}
            </code>
          </li>
        ))}
      </ul>
    </>
  );
}

function OneDevice({ selector }: { selector: string }) {
  const { t } = useWords();
  const [written, setWritten] = useState('');
  const [name] = useDebouncedValue(written.trim(), WRITING_MS);
  const [id, setId] = useState<string>();
  const found = useQuery({ ...namedQuery(name), enabled: name !== '' }).data ?? [];
  const fit = useQuery({ ...fitQuery(id ?? '', selector), enabled: id !== undefined, retry: false });
  return (
    <>
      <TextInput
        type="search"
        label={t('devices.search')}
        value={written}
        onChange={(event) => setWritten(event.currentTarget.value)}
      />
      <div className="picks" role="radiogroup" aria-label={t('nav.devices')}>
        {found.map((device) => (
          <label key={device.id}>
            <input type="radio" name="tried-device" checked={id === device.id} onChange={() => setId(device.id)} />
            <span className="wrap" translate="no">
              {device.label ?? device.id}
            </span>
          </label>
        ))}
      </div>
      {id !== undefined && (
        <Answer of={fit}>
          {(rule) => (
            <>
              <p>
                <TruthSign of={rule.result} />{' '}
                {t(`check.result.${String(rule.result) as 'true' | 'false' | 'unknown'}`)}
              </p>
              <RuleTree rule={rule} />
            </>
          )}
        </Answer>
      )}
    </>
  );
}

import { Modal, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useId, useState } from 'react';
import { campaignsQuery, contentsQuery } from '../api/queries.js';
import { useMay } from '../session/session.js';
import { PAGES } from './pages.js';
import { type Entry, found } from './palette-entries.js';
import { useWords } from './words.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Pages, campaigns, contents, and whatever has the identifier that was typed. */
function useEntries(typed: string): Entry[] {
  const { t } = useWords();
  const may = useMay();
  const campaigns = useInfiniteQuery(campaignsQuery);
  const contents = useInfiniteQuery(contentsQuery);
  const pages = PAGES.filter(({ needs }) => needs === undefined || may(needs));
  const entries: Entry[] = [
    ...pages.map(({ to, text, key }) => ({ id: to, text: t(text), hint: `g ${key}`, href: to })),
    ...(may('campaign:write') ? [{ id: 'new', text: t('campaigns.new'), hint: '', href: '/campaigns/new' }] : []),
    ...(campaigns.data?.pages ?? []).flatMap(({ items }) =>
      items.map(({ campaignId, name, status }) => ({
        id: campaignId,
        text: name,
        hint: t(`campaign.status.${status}`),
        href: `/campaigns/${campaignId}`,
        isName: true,
      })),
    ),
    ...(contents.data?.pages ?? []).flatMap(({ items }) =>
      items.map(({ contentId, description: { name, version } }) => ({
        id: contentId,
        text: `${name} ${version}`,
        hint: t('nav.contents'),
        href: `/contents/${contentId}`,
        isName: true,
      })),
    ),
  ];
  const id = typed.trim();
  const byId = UUID.test(id)
    ? [
        { id: `d${id}`, text: id, hint: t('palette.device'), href: `/devices/${id}`, isName: true },
        { id: `c${id}`, text: id, hint: t('palette.campaign'), href: `/campaigns/${id}`, isName: true },
      ]
    : [];
  return [...byId, ...found(entries, typed)];
}

export function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useWords();
  const navigate = useNavigate();
  const list = useId();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const entries = useEntries(typed);
  const chosen = entries[Math.min(at, entries.length - 1)];
  const go = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    void navigate({ href: `/console${entry.href}` });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      setAt((at + move + entries.length) % Math.max(1, entries.length));
    }
    if (event.key === 'Enter') go(chosen);
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('palette.title')}
      closeButtonProps={{ 'aria-label': t('act.close') }}
      centered={false}
      transitionProps={{ duration: 0 }}
    >
      <TextInput
        data-autofocus
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={chosen === undefined ? undefined : `${list}-${chosen.id}`}
        aria-label={t('palette.title')}
        placeholder={t('palette.hint')}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul className="palette-list" role="listbox" id={list} aria-label={t('palette.title')}>
        {entries.map((entry) => (
          <li
            key={entry.id}
            id={`${list}-${entry.id}`}
            role="option"
            aria-selected={entry === chosen}
            onClick={() => go(entry)}
          >
            <span className="wrap" translate={entry.isName === true ? 'no' : undefined}>
              {entry.text}
            </span>
            <span className="quiet" translate="no">
              {entry.hint}
            </span>
          </li>
        ))}
      </ul>
      <p className="quiet">{t('palette.keys')}</p>
    </Modal>
  );
}

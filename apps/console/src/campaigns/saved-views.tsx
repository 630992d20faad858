import { Button, Menu } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useWords } from '../shell/words.js';
import { type ListSearch, listSearch } from './list-state.js';

const KEPT = 'muster-campaign-views';

interface SavedView {
  name: string;
  search: ListSearch;
}

function kept(): SavedView[] {
  try {
    const views: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(views) ? (views as SavedView[]).filter(({ name }) => typeof name === 'string') : [];
  } catch {
    return []; // written by something else
  }
}

/** A view is an address; saved, it gets a name in this browser. */
export function SavedViews({ search }: { search: ListSearch }) {
  const { t } = useWords();
  const navigate = useNavigate({ from: '/campaigns' });
  const [views, setViews] = useState(kept);
  const keep = (next: SavedView[]) => {
    localStorage.setItem(KEPT, JSON.stringify(next));
    setViews(next);
  };
  const name = [search.view, search.q, search.sort].filter(Boolean).join(' · ');
  return (
    <Menu withinPortal={false} position="bottom-start">
      <Menu.Target>
        <Button variant="default">{t('views.menu')}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {views.map((view) => (
          <Menu.Item key={view.name} onClick={() => void navigate({ search: listSearch({ ...view.search }) })}>
            <span translate="no">{view.name}</span>
          </Menu.Item>
        ))}
        <Menu.Item
          disabled={name === ''}
          onClick={() => keep([...views.filter((view) => view.name !== name), { name, search }])}
        >
          {t('views.save')}
        </Menu.Item>
        <Menu.Item disabled={views.length === 0} onClick={() => keep([])}>
          {t('views.forget')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { onSignedOut } from '../api/client.js';
import { LiveProvider } from '../live/live.js';
import { noteSignedOut } from '../session/door.js';
import { useAsOf, useMay } from '../session/session.js';
import { AccountMenu } from './account-menu.js';
import { AsOfBanner } from './as-of.js';
import { useShortcuts } from './keys.js';
import { LiveSign } from './live-sign.js';
import { PAGES } from './pages.js';
import { useWords } from './words.js';

const loadPalette = () => import('./palette.js').then((module) => ({ default: module.Palette }));
const Palette = lazy(loadPalette);
const Tray = lazy(() => import('./tray.js').then((module) => ({ default: module.Tray })));

/** What stands around every page: where one can go, whether it is live, and which moment it shows. */
export function Shell() {
  const { t } = useWords();
  const asOf = useAsOf();
  const [isOpen, setOpen] = useState(false);
  useShortcuts(() => setOpen(true));
  useSignInAgain();
  // It has to be there when the first letter is typed.
  useEffect(() => void setTimeout(() => void loadPalette(), 1_000), []);
  return (
    <LiveProvider>
      <div className="shell" data-past={asOf !== undefined || undefined}>
        <a className="skip" href="#main">
          {t('shell.skip')}
        </a>
        <header className="bar">
          <Link to="/" className="brand">
            <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" />
            <span translate="no">Muster</span>
          </Link>
          <span className="spring" />
          <LiveSign />
          <Button variant="default" size="compact-sm" onClick={() => setOpen(true)} aria-keyshortcuts="Control+K">
            {t('shell.search')}&nbsp;
            <kbd className="only-wide" translate="no">
              Ctrl K
            </kbd>
          </Button>
          <AccountMenu />
        </header>
        <Navigation />
        <main className="main" id="main" tabIndex={-1}>
          {asOf !== undefined && <AsOfBanner asOf={asOf} />}
          <Outlet />
        </main>
        <Suspense>
          {isOpen && <Palette onClose={() => setOpen(false)} />}
          <Tray />
        </Suspense>
      </div>
    </LiveProvider>
  );
}

function Navigation() {
  const { t } = useWords();
  const may = useMay();
  return (
    <nav className="nav" aria-label={t('shell.pages')}>
      <ul>
        {PAGES.filter(({ needs }) => needs === undefined || may(needs)).map(({ to, text, isExact }) => (
          <li key={to}>
            <Link to={to} activeOptions={{ exact: isExact === true, includeSearch: false }}>
              {t(text)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** A session that ends while a page is open comes back to the same page. */
function useSignInAgain(): void {
  const navigate = useNavigate();
  const queries = useQueryClient();
  useEffect(
    () =>
      onSignedOut(() => {
        noteSignedOut();
        queries.clear();
        const to = location.pathname.slice('/console'.length) + location.search;
        void navigate({ to: '/sign-in', search: { to } });
      }),
    [navigate, queries],
  );
}

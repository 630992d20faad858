import { Link, useSearch } from '@tanstack/react-router';
import { useMay } from '../session/session.js';
import { PageHead } from '../shell/page-head.js';
import { Denied } from '../shell/panels.js';
import { oneOf } from '../shell/search.js';
import { useWords } from '../shell/words.js';
import { PeopleList } from './people-list.js';
import { RulesOfTheHouse } from './rules-of-the-house.js';
import { TokenList } from './token-list.js';

const TABS = ['people', 'tokens', 'house'] as const;

/** Who may do what: people, programs, and what campaigns need before they go. */
export function PeoplePage() {
  const { t } = useWords();
  const may = useMay();
  const { tab: asked } = useSearch({ from: '/inside/people' });
  const tab = oneOf(TABS, asked) ?? 'people';
  return (
    <>
      <PageHead title={t('nav.people')} />
      <nav className="tabs" aria-label={t('people.views')}>
        {TABS.map((name) => (
          <Link key={name} to="/people" search={{ tab: name }} aria-current={name === tab ? 'page' : undefined}>
            {t(`people.tab.${name}`)}
          </Link>
        ))}
      </nav>
      {tab === 'people' && (may('user:read') ? <PeopleList /> : <Denied />)}
      {tab === 'tokens' && (may('token:read') ? <TokenList /> : <Denied />)}
      {tab === 'house' && <RulesOfTheHouse />}
    </>
  );
}

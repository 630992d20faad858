import { Link } from '@tanstack/react-router';
import { Panel } from './panels.js';
import { PageHead } from './page-head.js';
import { useWords } from './words.js';

/** An address that leads nowhere, with the way back. */
export function NotFoundPage() {
  const { t } = useWords();
  return (
    <main className="main">
      <PageHead title={t('panel.unknown')} />
      <Panel kind="empty" title={t('panel.unknownHint')} acts={<Link to="/">{t('nav.overview')}</Link>} />
    </main>
  );
}

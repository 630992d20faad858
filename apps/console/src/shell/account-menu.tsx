import { Button, Menu, useMantineColorScheme } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api } from '../api/client.js';
import { accountQuery } from '../api/queries.js';
import { noteSignedOut } from '../session/door.js';
import { useMe } from '../session/session.js';
import { choose, type Language, LANGUAGES } from '../texts/i18n.js';
import { tellTrouble } from './act-notice.js';
import { useWords } from './words.js';

const SCHEMES = ['auto', 'light', 'dark'] as const;

/** Who is signed in, how the console looks and speaks, and the way out. */
export function AccountMenu() {
  const { t } = useWords();
  const me = useMe();
  const account = useQuery({ ...accountQuery, enabled: me.kind === 'person' });
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signOut = async () => {
    await api.DELETE('/v1/sessions/current').catch(tellTrouble);
    noteSignedOut();
    queries.clear();
    await navigate({ to: '/sign-in' });
  };
  const name = account.data?.name ?? me.tenant;
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <Button variant="default" size="compact-sm" aria-label={t('account.menu', { name })}>
          <span translate="no">{name}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <span translate="no">{`${account.data?.email ?? ''} · ${me.tenant}`}</span>
        </Menu.Label>
        <Menu.Label>
          <span translate="no">{me.roles.join(', ')}</span>
        </Menu.Label>
        <Menu.Divider />
        {SCHEMES.map((scheme) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            rightSection={colorScheme === scheme ? '✓' : null}
          >
            {t(`account.scheme.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        {Object.entries(LANGUAGES).map(([language, own]) => (
          <Menu.Item key={language} lang={language} onClick={() => void choose(language as Language)}>
            <span translate="no">{own}</span>
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => void signOut()}>{t('account.signOut')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

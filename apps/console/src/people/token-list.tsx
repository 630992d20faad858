import { Alert, Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, dataOf } from '../api/client.js';
import { tokensQuery } from '../api/queries.js';
import type { ApiToken, Role } from '../api/wire.js';
import { useMay, useMe } from '../session/session.js';
import { tellTrouble } from '../shell/act-notice.js';
import { Answer } from '../shell/answer.js';
import { CopyLine } from '../shell/copy-line.js';
import { DataTable } from '../shell/data-table.js';
import { Panel } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { RoleChoice } from './role-choice.js';

/** API tokens, for programs. */
export function TokenList() {
  const { t } = useWords();
  const may = useMay();
  const query = useQuery(tokensQuery);
  const [isIssuing, setIssuing] = useState(false);
  const issue = may('token:write') && <Button onClick={() => setIssuing(true)}>{t('tokens.issue')}</Button>;
  return (
    <>
      <Answer of={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Panel kind="empty" title={t('tokens.none')} acts={issue}>
              <p>{t('tokens.noneHint')}</p>
            </Panel>
          ) : (
            <>
              <div className="filters">{issue}</div>
              <Tokens items={items} />
            </>
          )
        }
      </Answer>
      {isIssuing && <IssueDialog onClose={() => setIssuing(false)} />}
    </>
  );
}

const isOver = ({ revokedAt, expiresAt }: ApiToken): boolean =>
  revokedAt !== null || Date.parse(expiresAt) < Date.now();

function Tokens({ items }: { items: ApiToken[] }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const revoking = useMutation({
    mutationFn: (id: string) => api.POST('/v1/tokens/{id}/revoke', { params: { path: { id } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
    onError: tellTrouble,
  });
  return (
    <DataTable
      caption={t('people.tab.tokens')}
      rows={items}
      rowKey={({ id }) => id}
      columns={[
        {
          id: 'name',
          head: t('people.name'),
          cell: ({ name }) => (
            <span className="wrap" translate="no">
              {name}
            </span>
          ),
        },
        {
          id: 'roles',
          head: t('people.roles'),
          cell: ({ roles }) => roles.map((role) => t(`role.${role}`)).join(', '),
        },
        { id: 'until', head: t('tokens.until'), cell: ({ expiresAt }) => <When at={expiresAt} /> },
        {
          id: 'state',
          head: t('contents.column.state'),
          cell: (token) => (
            <span className="state" data-tone={isOver(token) ? 'bad' : 'go'}>
              {t(token.revokedAt !== null ? 'tokens.revoked' : isOver(token) ? 'tokens.expired' : 'people.active')}
            </span>
          ),
        },
        ...(may('token:write')
          ? [
              {
                id: 'acts',
                head: t('operations.acts'),
                cell: (token: ApiToken) =>
                  isOver(token) ? null : (
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={t('tokens.revokeOf', { name: token.name })}
                      onClick={() => revoking.mutate(token.id)}
                    >
                      {t('tokens.revoke')}
                    </Button>
                  ),
              },
            ]
          : []),
      ]}
    />
  );
}

function IssueDialog({ onClose }: { onClose: () => void }) {
  const { t } = useWords();
  const me = useMe();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [roles, setRoles] = useState<Role[]>(['viewer']);
  const issuing = useMutation({
    mutationFn: () => dataOf(api.POST('/v1/tokens', { body: { name, roles } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
  });
  return (
    <Modal opened onClose={onClose} title={t('tokens.issue')} closeButtonProps={{ 'aria-label': t('act.close') }}>
      {issuing.data !== undefined ? (
        <Stack gap="sm">
          <p>{t('tokens.once')}</p>
          <CopyLine line={issuing.data.token} />
          <Button onClick={onClose}>{t('act.close')}</Button>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            issuing.mutate();
          }}
        >
          <Stack gap="sm">
            <TextInput
              data-autofocus
              label={t('people.name')}
              required
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <RoleChoice value={roles} onChange={setRoles} among={me.roles} />
            {issuing.error !== null && (
              <Alert color="red" role="alert">
                <span translate="no">{issuing.error.message}</span>
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t('act.cancel')}
              </Button>
              <Button type="submit" loading={issuing.isPending}>
                {t('tokens.issue')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { peopleQuery } from '../api/queries.js';
import type { Person } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { DataTable } from '../shell/data-table.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { PersonDialog } from './person-dialog.js';

export function PeopleList() {
  const { t } = useWords();
  const may = useMay();
  const query = useQuery(peopleQuery);
  const [edited, setEdited] = useState<Person | 'new'>();
  return (
    <>
      {may('user:write') && (
        <div className="filters">
          <Button onClick={() => setEdited('new')}>{t('people.add')}</Button>
        </div>
      )}
      <Answer of={query}>
        {({ items }) => (
          <DataTable
            caption={t('people.tab.people')}
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
                id: 'email',
                head: t('people.email'),
                cell: ({ email }) => (
                  <span className="wrap" translate="no">
                    {email}
                  </span>
                ),
              },
              {
                id: 'roles',
                head: t('people.roles'),
                cell: ({ roles }) => roles.map((role) => t(`role.${role}`)).join(', '),
              },
              {
                id: 'state',
                head: t('contents.column.state'),
                cell: ({ disabled }) => (
                  <span className="state" data-tone={disabled ? 'bad' : 'go'}>
                    {t(disabled ? 'people.disabled' : 'people.active')}
                  </span>
                ),
              },
              { id: 'since', head: t('people.since'), cell: ({ createdAt }) => <When at={createdAt} /> },
              ...(may('user:write')
                ? [
                    {
                      id: 'acts',
                      head: t('operations.acts'),
                      cell: (person: Person) => (
                        <Button
                          size="compact-sm"
                          variant="default"
                          aria-label={t('people.changeOf', { name: person.name })}
                          onClick={() => setEdited(person)}
                        >
                          {t('people.change')}
                        </Button>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        )}
      </Answer>
      {edited !== undefined && (
        <PersonDialog person={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </>
  );
}

import { Alert, Button, Checkbox, Group, Modal, PasswordInput, Stack, TextInput } from '@mantine/core';
import '@mantine/core/styles/Checkbox.css';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, dataOf, ifMatch } from '../api/client.js';
import { ApiProblem } from '../api/problem.js';
import type { Person, Role } from '../api/wire.js';
import { useMe } from '../session/session.js';
import { useWords } from '../shell/words.js';
import { RoleChoice } from './role-choice.js';

interface PersonForm {
  name: string;
  email: string;
  password: string;
  roles: Role[];
  disabled: boolean;
}

const formOf = (person: Person | undefined): PersonForm => ({
  name: person?.name ?? '',
  email: person?.email ?? '',
  password: '',
  roles: person?.roles ?? ['viewer'],
  disabled: person?.disabled ?? false,
});

function save(person: Person | undefined, isOwn: boolean, form: PersonForm): Promise<Person> {
  const { name, email, password, roles, disabled } = form;
  if (person === undefined) return dataOf(api.POST('/v1/users', { body: { name, email, password, roles } }));
  const body = { name, ...(isOwn ? {} : { roles, disabled }), ...(password === '' ? {} : { password }) };
  const options = { params: { path: { id: person.id } }, headers: ifMatch(person.version), body };
  return dataOf(api.PATCH('/v1/users/{id}', options));
}

/** Adds a person, or changes one; nobody changes their own roles. */
export function PersonDialog({ person, onClose }: { person: Person | undefined; onClose: () => void }) {
  const { t } = useWords();
  const me = useMe();
  const queries = useQueryClient();
  const form = useForm<PersonForm>({ initialValues: formOf(person) });
  const isOwn = person?.id === me.id;
  const saving = useMutation({
    mutationFn: (values: PersonForm) => save(person, isOwn, values),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['people'] });
      onClose();
    },
  });
  const problem = saving.error instanceof ApiProblem ? saving.error : undefined;
  return (
    <Modal
      opened
      onClose={onClose}
      title={person === undefined ? t('people.add') : t('people.changeOf', { name: person.name })}
      closeButtonProps={{ 'aria-label': t('act.close') }}
    >
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        <Stack gap="sm">
          <Identity form={form} isNew={person === undefined} problem={problem} />
          {isOwn ? (
            <p className="quiet">{t('people.ownRoles')}</p>
          ) : (
            <RoleChoice value={form.values.roles} onChange={(roles) => form.setFieldValue('roles', roles)} />
          )}
          {person !== undefined && !isOwn && (
            <Checkbox label={t('people.disable')} {...form.getInputProps('disabled', { type: 'checkbox' })} />
          )}
          {problem !== undefined && (
            <Alert color="red" role="alert">
              <span translate="no">{`${problem.message} (${problem.code})`}</span>
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('act.cancel')}
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {t('people.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface IdentityProps {
  form: UseFormReturnType<PersonForm>;
  isNew: boolean;
  problem: ApiProblem | undefined;
}

/** Name and password; the address of an account stays. */
function Identity({ form, isNew, problem }: IdentityProps) {
  const { t } = useWords();
  return (
    <>
      <TextInput
        data-autofocus
        label={t('people.name')}
        required
        {...form.getInputProps('name')}
        error={problem?.at('/name')}
      />
      {isNew && (
        <TextInput
          label={t('people.email')}
          type="email"
          required
          {...form.getInputProps('email')}
          error={problem?.at('/email')}
        />
      )}
      <PasswordInput
        label={t(isNew ? 'signIn.password' : 'people.newPassword')}
        description={t('people.passwordHint')}
        autoComplete="new-password"
        required={isNew}
        visibilityToggleButtonProps={{ 'aria-label': t('signIn.show'), tabIndex: 0 }}
        {...form.getInputProps('password')}
        error={problem?.at('/password')}
      />
    </>
  );
}

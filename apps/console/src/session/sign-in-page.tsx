import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import type { paths } from 'openapi-schema';
import { api } from '../api/client.js';
import { ApiProblem } from '../api/problem.js';
import { noteSignedIn } from './door.js';
import { useWords } from '../shell/words.js';

type Login = paths['/v1/sessions']['post']['requestBody']['content']['application/json'];

export function SignInPage() {
  const { t } = useWords();
  const { to } = useSearch({ from: '/sign-in' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  useEffect(() => {
    document.title = `${t('signIn.title')} · Muster`;
  }, [t]);
  const form = useForm({ initialValues: { tenant: 'main', email: '', password: '' } });
  const signIn = useMutation({
    // The session comes as a cookie that no script can read.
    mutationFn: (login: Login) => api.POST('/v1/sessions', { body: { ...login, cookie: true } }),
    onSuccess: async () => {
      noteSignedIn();
      queries.clear();
      await navigate({ href: `/console${to?.startsWith('/') === true ? to : '/'}`, replace: true });
    },
  });
  const problem = signIn.error instanceof ApiProblem ? signIn.error : undefined;
  return (
    <main className="sign-in">
      <form className="card" onSubmit={form.onSubmit((values) => signIn.mutate(values))}>
        <Stack gap="sm">
          <h1 className="brand">
            <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" />
            <span>{t('signIn.title')}</span>
          </h1>
          {problem !== undefined && (
            <Alert color="red" role="alert">
              {problem.status === 401
                ? t('signIn.wrong')
                : problem.status === 0
                  ? t('signIn.unreachable')
                  : problem.message}
            </Alert>
          )}
          <TextInput
            label={t('signIn.email')}
            type="email"
            autoComplete="username"
            required
            autoFocus
            {...form.getInputProps('email')}
          />
          <PasswordInput
            label={t('signIn.password')}
            autoComplete="current-password"
            required
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show'), tabIndex: 0 }}
            {...form.getInputProps('password')}
          />
          <TextInput
            label={t('signIn.tenant')}
            autoComplete="organization"
            required
            {...form.getInputProps('tenant')}
          />
          <Button type="submit" loading={signIn.isPending}>
            {t('signIn.act')}
          </Button>
          <p className="quiet">{t('signIn.first')}</p>
        </Stack>
      </form>
    </main>
  );
}

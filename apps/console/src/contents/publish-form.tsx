import { Alert, Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, dataOf } from '../api/client.js';
import { ApiProblem } from '../api/problem.js';
import { RuleCheck } from '../rules/rule-check.js';
import { RuleField } from '../rules/rule-field.js';
import { tell } from '../shell/act-notice.js';
import { useWords } from '../shell/words.js';
import { uploadIdOf, type UploadView } from './upload-progress.js';
import { uploads } from './uploads.js';

/** Says what the bytes are and whom they fit; with that they are a content. */
export function PublishForm({ upload }: { upload: UploadView }) {
  const { t, bytes } = useWords();
  const queries = useQueryClient();
  const form = useForm({
    initialValues: { name: upload.name, version: '', mediaType: 'application/octet-stream', selector: '' },
  });
  const publishing = useMutation({
    mutationFn: ({ selector, ...description }: typeof form.values) =>
      dataOf(
        api.POST('/v1/contents', {
          body: {
            uploadId: uploadIdOf(upload.url ?? ''),
            description,
            ...(selector === '' ? {} : { selector }),
          },
        }),
      ),
    onSuccess: ({ description }) => {
      uploads.forget(upload.id);
      void queries.invalidateQueries({ queryKey: ['contents'] });
      tell(t('publish.done', { name: description.name }));
    },
  });
  const problem = publishing.error instanceof ApiProblem ? publishing.error : undefined;
  const at = (pointer: string) => problem?.at(pointer);
  return (
    <form
      onSubmit={form.onSubmit((values) => publishing.mutate(values))}
      aria-label={t('publish.title', { name: upload.name })}
    >
      <Stack gap="sm">
        <h3>
          {t('publish.title', { name: upload.name })}{' '}
          <span className="quiet" translate="no">
            {bytes(upload.size)}
          </span>
        </h3>
        <div className="fields">
          <TextInput
            label={t('publish.name')}
            required
            {...form.getInputProps('name')}
            error={at('/description/name')}
          />
          <TextInput
            label={t('publish.version')}
            required
            {...form.getInputProps('version')}
            error={at('/description/version')}
          />
          <TextInput
            label={t('publish.mediaType')}
            {...form.getInputProps('mediaType')}
            error={at('/description/mediaType')}
          />
        </div>
        <RuleField
          label={t('publish.selector')}
          hint={t('publish.selectorHint')}
          value={form.values.selector}
          onChange={(selector) => form.setFieldValue('selector', selector)}
          error={at('/selector')}
        />
        <RuleCheck selector={form.values.selector} />
        {problem !== undefined && (
          <Alert color="red" role="alert" title={t('act.refused')}>
            <span translate="no">{`${problem.message} (${problem.code})`}</span>
          </Alert>
        )}
        <Group>
          <Button type="submit" loading={publishing.isPending}>
            {t('publish.act')}
          </Button>
          <Button variant="default" onClick={() => void uploads.cancel(upload.id)}>
            {t('upload.cancel')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

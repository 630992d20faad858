import { Button, NumberInput } from '@mantine/core';
import '@mantine/core/styles/NumberInput.css';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { components } from 'openapi-schema';
import { api, dataOf } from '../api/client.js';
import { reviewQuery } from '../api/queries.js';
import { useMay } from '../session/session.js';
import { tell, tellTrouble } from '../shell/act-notice.js';
import { Answer } from '../shell/answer.js';
import { useWords } from '../shell/words.js';

type Caps = components['schemas']['CapsDto'];

const capsQuery = queryOptions({
  queryKey: ['caps'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/caps', { signal })),
});

/** What holds for every campaign of the tenant. */
export function RulesOfTheHouse() {
  const { t } = useWords();
  const review = useQuery(reviewQuery);
  const caps = useQuery(capsQuery);
  return (
    <div className="cards">
      <section className="card">
        <h2>{t('house.review')}</h2>
        <Answer of={review}>{({ approvals }) => <Review key={approvals} approvals={approvals} />}</Answer>
      </section>
      <section className="card">
        <h2>{t('house.caps')}</h2>
        <p className="quiet">{t('house.capsHint')}</p>
        <Answer of={caps}>{(value) => <CapsForm key={JSON.stringify(value)} caps={value} />}</Answer>
      </section>
    </div>
  );
}

function Review({ approvals }: { approvals: number }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [value, setValue] = useState(approvals);
  const saving = useMutation({
    mutationFn: () => dataOf(api.PUT('/v1/review', { headers: { 'if-match': '*' }, body: { approvals: value } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['review'] });
      tell(t('house.saved'));
    },
    onError: tellTrouble,
  });
  return (
    <>
      <NumberInput
        label={t('house.approvals')}
        description={t('house.approvalsHint')}
        min={0}
        max={10}
        disabled={!may('review:write')}
        value={value}
        onChange={(next) => setValue(Number(next))}
      />
      {may('review:write') && (
        <Button mt="sm" disabled={value === approvals} loading={saving.isPending} onClick={() => saving.mutate()}>
          {t('people.save')}
        </Button>
      )}
    </>
  );
}

const FIELDS = ['transfers', 'bytesPerSecond', 'bytesPerDay'] as const;

function CapsForm({ caps }: { caps: Caps }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [value, setValue] = useState(caps);
  const saving = useMutation({
    mutationFn: () => dataOf(api.PUT('/v1/caps', { headers: { 'if-match': '*' }, body: value })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['caps'] });
      tell(t('house.saved'));
    },
    onError: tellTrouble,
  });
  return (
    <>
      {FIELDS.map((field) => (
        <NumberInput
          key={field}
          label={t(`caps.${field}`)}
          placeholder={t('caps.none')}
          min={0}
          thousandSeparator=" "
          disabled={!may('cap:write')}
          value={value[field] ?? ''}
          onChange={(next) => setValue({ ...value, [field]: next === '' ? null : Number(next) })}
        />
      ))}
      {may('cap:write') && (
        <Button mt="sm" loading={saving.isPending} onClick={() => saving.mutate()}>
          {t('people.save')}
        </Button>
      )}
    </>
  );
}

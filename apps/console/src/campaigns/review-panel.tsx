import { useQuery } from '@tanstack/react-query';
import { accountQuery, reviewQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { useMe } from '../session/session.js';
import { Facts } from '../shell/facts.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';

/** What is missing before it goes, and what its dry run came to. */
export function ReviewPanel({ campaign }: { campaign: Campaign }) {
  const { t, count, bytes } = useWords();
  const me = useMe();
  const { data: review } = useQuery(reviewQuery);
  const account = useQuery({ ...accountQuery, enabled: me.kind === 'person' });
  const { status, approvals, authors, dryRun } = campaign;
  const required = review?.approvals ?? campaign.required;
  const isMine = account.data !== undefined && authors.includes(`person:${account.data.id}`);
  const number = (value: number | null) => (value === null ? t('dry.notKnowable') : count(value));
  const steps = [
    [true, t('review.drafted')],
    [status !== 'draft', t('review.submitted')],
    [status === 'approved', t('review.approved', { given: approvals.length, required })],
    [false, t('review.scheduled')],
  ] as const;
  return (
    <section className="card" aria-label={t('review.title')}>
      <h2>{t('review.title')}</h2>
      <ol className="plain-list waves">
        {steps
          .filter((_, n) => required > 0 || n === 0 || n === 3)
          .map(([isDone, text]) => (
            <li key={text}>
              <span className="state" data-tone={isDone ? 'go' : 'quiet'}>
                {text}
              </span>
            </li>
          ))}
      </ol>
      {status === 'in-review' && isMine && <p className="quiet">{t('review.own')}</p>}
      {dryRun !== null && (
        <>
          <h3>{t('review.dryRun')}</h3>
          <Facts
            of={[
              [
                t('dry.period'),
                <>
                  <When key="f" at={dryRun.from} /> – <When key="u" at={dryRun.until} />
                </>,
              ],
              [t('dry.devices'), count(dryRun.devices)],
              [t('dry.polls'), count(dryRun.polls)],
              [t('dry.fits'), number(dryRun.fits)],
              [t('dry.served'), number(dryRun.served)],
              [t('dry.bytes'), dryRun.bytes === null ? t('dry.notKnowable') : bytes(dryRun.bytes)],
              [t('dry.rivals'), number(dryRun.rivals)],
            ]}
          />
        </>
      )}
    </section>
  );
}

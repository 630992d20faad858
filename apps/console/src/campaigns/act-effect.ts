import type { Campaign, Progress } from '../api/wire.js';
import type { useWords } from '../shell/words.js';
import type { ActForm } from './act-form.js';
import type { Verb } from './acts.js';
import { underWay } from './funnel.js';
import { BUCKETS } from './waves.js';

interface Wish {
  verb: Verb;
  campaign: Campaign;
  progress: Progress | undefined;
  form: ActForm;
}

/** Whom the act concerns, in words, with the numbers of now. */
export function effectText(
  { t, count, percent }: ReturnType<typeof useWords>,
  { verb, campaign, progress, form }: Wish,
): string | undefined {
  const [polled, requested, installed] = progress
    ? [progress.funnel.polled, progress.funnel.requested, progress.funnel.installed]
    : [0, 0, 0];
  const busy = count(progress === undefined ? 0 : underWay(progress.funnel, progress.dropped));
  const waiting = count(Math.max(0, polled - requested));
  const effects: Partial<Record<Verb, string>> = {
    pause: t(form.kind === 'soft' ? 'effect.pauseSoft' : 'effect.pauseHard', { busy, waiting }),
    abort: t(form.disposition === 'keep' ? 'effect.abortKeep' : 'effect.abortRecall', { busy, done: count(installed) }),
    complete: t('effect.complete', { busy }),
    resume: t('effect.resume'),
    wave: t('effect.wave', { from: percent(campaign.waveUpTo / BUCKETS), to: percent(form.waveUpTo / BUCKETS) }),
    undo: t('effect.undo', { step: campaign.undoable?.step ?? '' }),
    submit: t('effect.submit'),
    schedule: t(form.start === '' ? 'effect.scheduleNow' : 'effect.scheduleThen'),
  };
  return effects[verb];
}

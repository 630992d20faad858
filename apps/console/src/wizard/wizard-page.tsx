import { Alert, Button, Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { api, dataOf, ifMatch } from '../api/client.js';
import { ApiProblem } from '../api/problem.js';
import { campaignQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { PageHead } from '../shell/page-head.js';
import { Denied } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { AudienceStep } from './audience-step.js';
import { CheckStep } from './check-step.js';
import { ContentsStep } from './contents-step.js';
import { type DraftForm, draftOf, emptyDraft, gapsOf, settingsOf, stepOfPointer } from './draft-form.js';
import { PaceStep } from './pace-step.js';
import { ReviewStep } from './review-step.js';
import { SafetyStep } from './safety-step.js';
import type { StepProps } from './step-props.js';
import { type Step, stepBy, STEPS } from './wizard-state.js';

const KEPT = 'muster-new-campaign';

/** What was begun and not saved is still here after a reload. */
function keptDraft(): DraftForm {
  try {
    return { ...emptyDraft(), ...(JSON.parse(sessionStorage.getItem(KEPT) ?? '{}') as Partial<DraftForm>) };
  } catch {
    return emptyDraft(); // written by something else
  }
}

export function NewCampaignPage() {
  const { t } = useWords();
  const may = useMay();
  return may('campaign:write') ? <Wizard title={t('campaigns.new')} initial={keptDraft()} /> : <NotForYou />;
}

export function EditCampaignPage() {
  const { t } = useWords();
  const { campaignId } = useParams({ from: '/inside/campaigns/$campaignId/edit' });
  const may = useMay();
  const query = useQuery(campaignQuery(campaignId));
  if (!may('campaign:write')) return <NotForYou />;
  return (
    <Answer of={query} title={t('nav.campaigns')}>
      {(campaign) => <Wizard title={campaign.name} initial={draftOf(campaign)} campaign={campaign} />}
    </Answer>
  );
}

function NotForYou() {
  const { t } = useWords();
  return (
    <>
      <PageHead title={t('campaigns.new')} />
      <Denied />
    </>
  );
}

interface WizardProps {
  title: string;
  initial: DraftForm;
  campaign?: Campaign;
}

function Wizard({ title, initial, campaign }: WizardProps) {
  const { t } = useWords();
  const { step = 'contents' } = useSearch({ strict: false });
  const navigate = useNavigate();
  const [form, setForm] = useState(initial);
  const [isChanged, setChanged] = useState(false);
  const saving = useSave(campaign);
  const problem = saving.error instanceof ApiProblem ? saving.error : undefined;
  useEffect(() => {
    if (campaign === undefined) sessionStorage.setItem(KEPT, JSON.stringify(form));
  }, [campaign, form]);
  const go = (to: Step) => void navigate({ to: '.', search: (old) => ({ ...old, step: to }) });
  const props: StepProps = {
    form,
    change: (change) => {
      setForm({ ...form, ...change });
      setChanged(true);
    },
    at: (pointer) => problem?.at(pointer),
  };
  const save = async (to: Step) => {
    const saved = await saving.mutateAsync(form).catch((error: unknown) => {
      const field = error instanceof ApiProblem ? error.fields[0] : undefined;
      if (field !== undefined) go(stepOfPointer(field.pointer));
    });
    if (saved === undefined) return;
    setChanged(false);
    await navigate({
      to: '/campaigns/$campaignId/edit',
      params: { campaignId: saved.campaignId },
      search: { step: to },
    });
  };
  const isSaved = campaign !== undefined && !isChanged;
  return (
    <>
      <PageHead
        title={title}
        isName={campaign !== undefined}
        crumb={<Link to="/campaigns">{t('nav.campaigns')}</Link>}
      />
      <StepTabs step={step} isSaved={isSaved} />
      {problem !== undefined && (
        <Alert color="red" role="alert" mb="md" title={t('act.refused')}>
          <span translate="no">
            {[problem.message, ...problem.fields.map(({ pointer, message }) => `${pointer} ${message}`)].join(' · ')}
          </span>
        </Alert>
      )}
      <StepBody step={step} campaign={isSaved ? campaign : undefined} {...props} />
      <StepButtons
        step={step}
        gaps={gapsOf(form)}
        isSaved={isSaved}
        isSaving={saving.isPending}
        go={go}
        save={(to) => void save(to)}
      />
    </>
  );
}

function StepTabs({ step, isSaved }: { step: Step; isSaved: boolean }) {
  const { t } = useWords();
  return (
    <nav className="tabs" aria-label={t('wizard.steps')}>
      {STEPS.map((name, n) => (
        <Link
          key={name}
          to="."
          search={(old) => ({ ...old, step: name })}
          disabled={(name === 'check' || name === 'review') && !isSaved}
          aria-current={name === step ? 'page' : undefined}
        >
          <span translate="no">{n + 1}</span> {t(`wizard.step.${name}`)}
        </Link>
      ))}
    </nav>
  );
}

/** The last two steps are about what is saved, and not about the form. */
function StepBody({ step, campaign, ...props }: StepProps & { step: Step; campaign: Campaign | undefined }) {
  const { t } = useWords();
  switch (step) {
    case 'contents':
      return <ContentsStep {...props} />;
    case 'audience':
      return <AudienceStep {...props} />;
    case 'pace':
      return <PaceStep {...props} />;
    case 'safety':
      return <SafetyStep {...props} />;
    default:
      if (campaign === undefined) return <p>{t('wizard.saveFirst')}</p>;
      return step === 'check' ? <CheckStep campaign={campaign} /> : <ReviewStep campaign={campaign} />;
  }
}

interface ButtonsProps {
  step: Step;
  gaps: ReturnType<typeof gapsOf>;
  isSaved: boolean;
  isSaving: boolean;
  go: (to: Step) => void;
  save: (to: Step) => void;
}

function StepButtons({ step, gaps, isSaved, isSaving, go, save }: ButtonsProps) {
  const { t } = useWords();
  const next = stepBy(step, 1);
  const before = stepBy(step, -1);
  const mustSave = next === 'check' && !isSaved;
  return (
    <Group mt="md">
      {before !== undefined && (
        <Button variant="default" onClick={() => go(before)}>
          {t('wizard.back')}
        </Button>
      )}
      {next !== undefined && !mustSave && <Button onClick={() => go(next)}>{t('wizard.next')}</Button>}
      {!isSaved && (
        <Button
          variant={mustSave ? 'filled' : 'default'}
          disabled={gaps.length > 0}
          loading={isSaving}
          onClick={() => save(mustSave ? 'check' : step)}
        >
          {t(mustSave ? 'wizard.saveAndCheck' : 'wizard.save')}
        </Button>
      )}
      {gaps.length > 0 && <span className="quiet">{gaps.map((gap) => t(`wizard.gap.${gap}`)).join(' ')}</span>}
    </Group>
  );
}

/** Drafts it, or replaces the settings of the draft that was opened. */
function useSave(campaign: Campaign | undefined) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (form: DraftForm) => {
      const body = settingsOf(form);
      if (campaign === undefined) return dataOf(api.POST('/v1/campaigns', { body }));
      const { campaignId, version } = campaign;
      return dataOf(
        api.PUT('/v1/campaigns/{campaignId}', { params: { path: { campaignId } }, headers: ifMatch(version), body }),
      );
    },
    onSuccess: (saved) => {
      if (campaign === undefined) sessionStorage.removeItem(KEPT);
      queries.setQueryData(['campaign', saved.campaignId], saved);
      void queries.invalidateQueries({ queryKey: ['campaigns'] });
    },
  });
}

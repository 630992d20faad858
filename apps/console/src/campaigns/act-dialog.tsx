import { Alert, Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiProblem } from '../api/problem.js';
import type { Campaign, Progress } from '../api/wire.js';
import { useWords } from '../shell/words.js';
import { ActChoices } from './act-choices.js';
import { effectText } from './act-effect.js';
import { actOf, asksForName, initialForm, missing, reasonOf } from './act-form.js';
import type { Verb } from './acts.js';
import { CampaignState } from './campaign-state.js';
import { run } from './run-act.js';

interface DialogProps {
  verb: Verb;
  campaign: Campaign;
  progress: Progress | undefined;
  onClose: () => void;
}

/** Shows what the act would come to, asks why, and does it. */
export function ActDialog({ verb, campaign, progress, onClose }: DialogProps) {
  const { t } = useWords();
  const [form, setForm] = useState(() => initialForm(campaign));
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { campaignId, version } = campaign;
  const devices = progress?.funnel.polled ?? 0;
  const gap = missing(verb, form, campaign, devices);
  const reason = reasonOf(verb, campaign);
  const doing = useMutation({
    mutationFn: () => run(actOf(verb, form), { campaignId, version }),
    onSuccess: (after) => {
      queries.setQueryData(['campaign', after.campaignId], after);
      void queries.invalidateQueries({ queryKey: ['campaigns'] });
      void queries.invalidateQueries({ queryKey: ['events', campaignId] });
      notifications.show({ message: t(`act.done.${verb}`), color: 'green' });
      onClose();
      if (verb === 'retry') void navigate({ to: '/campaigns/$campaignId', params: { campaignId: after.campaignId } });
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={t(`act.title.${verb}`, { name: campaign.name })}
      closeButtonProps={{ 'aria-label': t('act.close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (gap === undefined) doing.mutate();
        }}
      >
        <Stack gap="sm">
          <ActChoices
            verb={verb}
            campaign={campaign}
            form={form}
            onChange={(change) => setForm({ ...form, ...change })}
          />
          <Preview verb={verb} campaign={campaign} progress={progress} form={form} />
          {reason !== 'none' && (
            <Textarea
              label={t(verb === 'approve' ? 'act.remark' : 'act.reason')}
              description={reason === 'required' ? t('act.reasonHint') : undefined}
              required={reason === 'required'}
              maxLength={1_000}
              autosize
              minRows={2}
              data-autofocus
              value={form.reason}
              onChange={(event) => setForm({ ...form, reason: event.currentTarget.value })}
            />
          )}
          {asksForName(verb, devices) && (
            <TextInput
              label={t('act.typed')}
              description={<span translate="no">{campaign.name}</span>}
              required
              value={form.typed}
              onChange={(event) => setForm({ ...form, typed: event.currentTarget.value })}
            />
          )}
          {doing.error !== null && <Refusal error={doing.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('act.cancel')}
            </Button>
            <Button
              type="submit"
              color={verb === 'abort' ? 'red' : undefined}
              disabled={gap !== undefined}
              loading={doing.isPending}
            >
              {t(`act.${verb}`)}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Refusal({ error }: { error: Error }) {
  const { t } = useWords();
  const isStale = error instanceof ApiProblem && error.status === 412;
  const text = error instanceof ApiProblem ? `${error.message} (${error.code})` : String(error);
  return (
    <Alert color="red" role="alert" title={isStale ? t('act.stale') : t('act.refused')}>
      <span translate="no">{text}</span>
    </Alert>
  );
}

/** The server tries the act and takes it back: what it would answer is the preview. */
function Preview({
  verb,
  campaign,
  progress,
  form,
}: Omit<DialogProps, 'onClose'> & { form: ReturnType<typeof initialForm> }) {
  const words = useWords();
  const { t } = words;
  const { campaignId, version } = campaign;
  const tried = actOf(verb, { ...form, reason: form.reason || '…' });
  const shape = JSON.stringify({ ...tried.body, reason: undefined, remark: undefined });
  const preview = useQuery({
    queryKey: ['preview', campaignId, version, verb, shape],
    queryFn: () => run(tried, { campaignId, version, isDry: true }),
    retry: false,
    gcTime: 0,
  });
  const effect = effectText(words, { verb, campaign, progress, form });
  const becomes = verb === 'retry' ? undefined : preview.data?.status;
  return (
    <section className="preview" aria-live="polite" aria-label={t('act.preview')}>
      {effect !== undefined && <p>{effect}</p>}
      {preview.error !== null && <Refusal error={preview.error} />}
      {becomes !== undefined && becomes !== campaign.status && (
        <p>
          {t('act.becomes')} <CampaignState status={campaign.status} /> → <CampaignState status={becomes} />
        </p>
      )}
    </section>
  );
}

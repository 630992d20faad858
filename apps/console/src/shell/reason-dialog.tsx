import { Alert, Button, Group, Modal, Stack, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useWords } from './words.js';

interface ReasonDialogProps {
  title: string;
  /** What it comes to, said before it is done. */
  effect: string;
  act: string;
  run: (reason: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks why before something is done that cannot be undone. */
export function ReasonDialog({ title, effect, act, run, onClose }: ReasonDialogProps) {
  const { t } = useWords();
  const [reason, setReason] = useState('');
  const doing = useMutation({ mutationFn: () => run(reason.trim()), onSuccess: onClose });
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('act.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          doing.mutate();
        }}
      >
        <Stack gap="sm">
          <p className="preview">{effect}</p>
          <Textarea
            label={t('act.reason')}
            description={t('act.reasonHint')}
            required
            data-autofocus
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          {doing.error !== null && (
            <Alert color="red" role="alert">
              <span translate="no">{doing.error.message}</span>
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('act.cancel')}
            </Button>
            <Button type="submit" color="red" disabled={reason.trim() === ''} loading={doing.isPending}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

import { Alert, Button, Modal, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, dataOf } from '../api/client.js';
import { channelsQuery, installationQuery } from '../api/queries.js';
import { CopyLine } from '../shell/copy-line.js';
import { useWords } from '../shell/words.js';

/** A one-time code, as the line to paste on the handset. It is shown here and nowhere again. */
export function ConnectDialog({ onClose }: { onClose: () => void }) {
  const { t } = useWords();
  const channels = useQuery(channelsQuery).data?.items ?? [];
  const installation = useQuery(installationQuery).data;
  const [label, setLabel] = useState('');
  const [channel, setChannel] = useState('main');
  const issuing = useMutation({
    mutationFn: () =>
      dataOf(api.POST('/v1/enrolment-codes', { body: { channel, ...(label === '' ? {} : { label }) } })),
  });
  const code = issuing.data?.code;
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t('devices.connect')}
      closeButtonProps={{ 'aria-label': t('act.close') }}
    >
      {code !== undefined && installation !== undefined ? (
        <Stack gap="sm">
          <p>{t('connect.paste')}</p>
          <CopyLine
            line={`npx muster-handset enrol ${installation.handsetUrl} --ca ${installation.caFingerprint} --code ${code}`}
          />
          <p className="quiet">{t('connect.then')}</p>
          <CopyLine line="npx muster-handset run" />
          <Button onClick={onClose}>{t('act.close')}</Button>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            issuing.mutate();
          }}
        >
          <Stack gap="sm">
            <TextInput
              data-autofocus
              label={t('connect.label')}
              description={t('connect.labelHint')}
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
            />
            <NativeSelect
              label={t('connect.channel')}
              value={channel}
              onChange={(event) => setChannel(event.currentTarget.value)}
              data={channels.length === 0 ? ['main'] : channels.map((each) => each.channel)}
            />
            {issuing.error !== null && (
              <Alert color="red" role="alert">
                <span translate="no">{issuing.error.message}</span>
              </Alert>
            )}
            <Button type="submit" loading={issuing.isPending}>
              {t('connect.act')}
            </Button>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

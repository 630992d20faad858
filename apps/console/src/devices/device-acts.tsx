import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ifMatch } from '../api/client.js';
import type { Device } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { ReasonDialog } from '../shell/reason-dialog.js';
import { useWords } from '../shell/words.js';

type Verb = 'revoke' | 'forget';

/** Both are for ever: revoking ends the key, forgetting erases what is personal as well. */
export function DeviceActs({ device }: { device: Device }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [verb, setVerb] = useState<Verb>();
  if (!may('device:write') || device.status === 'forgotten') return null;
  const { id, version, label } = device;
  const run = async (reason: string) => {
    const options = { params: { path: { id } }, headers: ifMatch(version), body: { reason } };
    if (verb === 'revoke') await api.POST('/v1/devices/{id}/revoke', options);
    else await api.POST('/v1/devices/{id}/forget', options);
    await queries.invalidateQueries({ queryKey: ['device', id] });
  };
  return (
    <>
      {device.status === 'active' && (
        <Button variant="default" onClick={() => setVerb('revoke')}>
          {t('device.revoke')}
        </Button>
      )}
      <Button variant="outline" color="red" onClick={() => setVerb('forget')}>
        {t('device.forget')}
      </Button>
      {verb !== undefined && (
        <ReasonDialog
          title={t(`device.${verb}Title`, { name: label ?? id })}
          effect={t(`device.${verb}Effect`)}
          act={t(`device.${verb}`)}
          run={run}
          onClose={() => setVerb(undefined)}
        />
      )}
    </>
  );
}

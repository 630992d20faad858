import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { PageHead } from '../shell/page-head.js';
import { Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { ConnectDialog } from './connect-dialog.js';
import { AllDevices, FoundDevices } from './device-lists.js';
import { facetsQuery } from './device-queries.js';
import { type DeviceFilter, type Facet, KINDS, STATUSES, sumOf } from './device-state.js';

/** A word is looked for when it has been written, not at each letter. */
const TYPING_MS = 300;

export function DevicesPage() {
  const { t } = useWords();
  const may = useMay();
  const [isConnecting, setConnecting] = useState(false);
  const facets = useQuery(facetsQuery({}));
  const connect = may('enrolment:write') && <Button onClick={() => setConnecting(true)}>{t('devices.connect')}</Button>;
  return (
    <>
      <PageHead title={t('nav.devices')} acts={connect} />
      <Answer of={facets}>
        {(all) =>
          all.length === 0 ? (
            <Panel kind="empty" title={t('devices.none')} acts={connect}>
              <p>{t('devices.noneHint')}</p>
            </Panel>
          ) : (
            <Filtered all={all} />
          )
        }
      </Answer>
      {isConnecting && <ConnectDialog onClose={() => setConnecting(false)} />}
    </>
  );
}

function Filtered({ all }: { all: readonly Facet[] }) {
  const { t, count } = useWords();
  const filter = useSearch({ from: '/inside/devices' });
  const [written] = useDebouncedValue(filter, TYPING_MS);
  const navigate = useNavigate({ from: '/devices' });
  const search = (next: DeviceFilter) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const choice = <Name extends 'channel' | 'status' | 'kind'>(
    name: Name,
    values: readonly NonNullable<DeviceFilter[Name]>[],
    label: (value: NonNullable<DeviceFilter[Name]>) => string,
  ) => (
    <NativeSelect
      label={t(`devices.column.${name}`)}
      value={filter[name] ?? ''}
      onChange={({ currentTarget: { value } }) => search({ [name]: value || undefined })}
      data={[
        { value: '', label: t('devices.any') },
        ...values.map((value) => ({
          value,
          label: `${label(value)} (${count(sumOf(all.filter((facet) => facet[name] === value)))})`,
        })),
      ]}
    />
  );
  const channels = [...new Set(all.map(({ channel }) => channel))];
  return (
    <>
      <div className="filters">
        <TextInput
          data-filter
          type="search"
          label={t('devices.search')}
          value={filter.q ?? ''}
          onChange={({ currentTarget: { value } }) => search({ q: value || undefined })}
        />
        {choice('status', STATUSES, (value) => t(`device.status.${value}`))}
        {choice('channel', channels, (value) => value)}
        {choice('kind', KINDS, (value) => t(`devices.kind.${value}`))}
      </div>
      {Object.keys(written).length === 0 ? (
        <AllDevices total={sumOf(all)} />
      ) : (
        <FoundDevices filter={written} onClear={() => void navigate({ search: {} })} />
      )}
    </>
  );
}

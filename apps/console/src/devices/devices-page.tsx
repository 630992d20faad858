import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { devicesQuery } from '../api/queries.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { PageHead } from '../shell/page-head.js';
import { FilteredEmpty, Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { ConnectDialog } from './connect-dialog.js';
import { devicePage } from './device-pages.js';
import { DeviceStateSign } from './device-state-sign.js';
import { matches, STATUSES } from './device-state.js';
import { DeviceTable } from './device-table.js';

export function DevicesPage() {
  const { t } = useWords();
  const may = useMay();
  const [isConnecting, setConnecting] = useState(false);
  const { q = '', status } = useSearch({ from: '/inside/devices' });
  const navigate = useNavigate({ from: '/devices' });
  const first = useQuery(devicePage(null));
  const connect = may('enrolment:write') && <Button onClick={() => setConnecting(true)}>{t('devices.connect')}</Button>;
  const search = (next: { q?: string; status?: string }) =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const isAsking = q !== '' || status !== undefined;
  return (
    <>
      <PageHead title={t('nav.devices')} acts={connect} />
      <Answer of={first}>
        {({ items }) =>
          items.length === 0 ? (
            <Panel kind="empty" title={t('devices.none')} acts={connect}>
              <p>{t('devices.noneHint')}</p>
            </Panel>
          ) : (
            <>
              <div className="filters">
                <TextInput
                  data-filter
                  type="search"
                  label={t('devices.search')}
                  value={q}
                  onChange={({ currentTarget: { value } }) => search({ q: value || undefined })}
                />
                <NativeSelect
                  label={t('devices.column.status')}
                  value={status ?? ''}
                  onChange={({ currentTarget: { value } }) => search({ status: value || undefined })}
                  data={[
                    { value: '', label: t('devices.any') },
                    ...STATUSES.map((value) => ({ value, label: t(`device.status.${value}`) })),
                  ]}
                />
              </div>
              {isAsking ? (
                <Found q={q} status={status} onClear={() => void navigate({ search: {} })} />
              ) : (
                <DeviceTable />
              )}
            </>
          )
        }
      </Answer>
      {isConnecting && <ConnectDialog onClose={() => setConnecting(false)} />}
    </>
  );
}

/** The server lists devices by their enrolment and searches nothing: pages are looked through, as many as are asked for. */
function Found({ q, status, onClear }: { q: string; status: string | undefined; onClear: () => void }) {
  const { t, count } = useWords();
  const query = useInfiniteQuery(devicesQuery);
  return (
    <Answer of={query}>
      {({ pages }) => {
        const all = pages.flatMap(({ items }) => items);
        const found = all.filter((device) => matches(device, q, status));
        return (
          <>
            {found.length === 0 && !query.hasNextPage && <FilteredEmpty onClear={onClear} />}
            {found.length > 0 && (
              <div className="table-box">
                <table className="table">
                  <caption className="visually-hidden">{t('nav.devices')}</caption>
                  <thead>
                    <tr>
                      <th scope="col">{t('devices.column.label')}</th>
                      <th scope="col">{t('devices.column.status')}</th>
                      <th scope="col">{t('devices.column.channel')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.slice(0, 200).map((device) => (
                      <tr key={device.id}>
                        <td>
                          <Link to="/devices/$deviceId" params={{ deviceId: device.id }} preload={false} translate="no">
                            {device.label ?? device.id}
                          </Link>
                        </td>
                        <td>
                          <DeviceStateSign status={device.status} />
                        </td>
                        <td translate="no">{device.channel}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            <p className="quiet" role="status">
              {t('devices.searched', { found: count(found.length), of: count(all.length) })}
            </p>
            {query.hasNextPage && (
              <Button variant="default" loading={query.isFetching} onClick={() => void query.fetchNextPage()}>
                {t('devices.further')}
              </Button>
            )}
          </>
        );
      }}
    </Answer>
  );
}

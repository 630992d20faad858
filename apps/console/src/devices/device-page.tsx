import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import { attributesQuery, deviceQuery } from '../api/queries.js';
import type { Device } from '../api/wire.js';
import { useAsOf } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { AsOfSlider } from '../shell/as-of.js';
import { Facts } from '../shell/facts.js';
import { PageHead } from '../shell/page-head.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { DeviceActs } from './device-acts.js';
import { DeviceStateSign } from './device-state-sign.js';
import { TABS } from './device-state.js';
import { Timeline } from './timeline.js';
import { WhyPanel } from './why-panel.js';

export function DevicePage() {
  const { t } = useWords();
  const { deviceId } = useParams({ from: '/inside/devices/$deviceId' });
  const query = useQuery(deviceQuery(deviceId));
  return (
    <Answer of={query} title={t('nav.devices')}>
      {(device) => <OneDevice device={device} />}
    </Answer>
  );
}

function OneDevice({ device }: { device: Device }) {
  const { t } = useWords();
  const { tab = 'timeline', campaign } = useSearch({ from: '/inside/devices/$deviceId' });
  const asOf = useAsOf();
  const { id, label, status, enrolledAt } = device;
  return (
    <>
      <PageHead
        title={label ?? id}
        isName
        crumb={<Link to="/devices">{t('nav.devices')}</Link>}
        state={<DeviceStateSign status={status} />}
        acts={<DeviceActs device={device} />}
      />
      <section className="card" aria-label={t('past.slider')}>
        <AsOfSlider from={Date.parse(enrolledAt)} asOf={asOf} />
      </section>
      <nav className="tabs" aria-label={t('device.views')}>
        {TABS.map((name) => (
          <Link
            key={name}
            to="."
            search={(old) => ({ ...old, tab: name })}
            aria-current={name === tab ? 'page' : undefined}
          >
            {t(`device.tab.${name}`)}
          </Link>
        ))}
      </nav>
      {tab === 'timeline' && <Timeline deviceId={id} asOf={asOf} />}
      {tab === 'why' && <WhyPanel deviceId={id} campaign={campaign} asOf={asOf} />}
      {tab === 'data' && <Data device={device} />}
    </>
  );
}

function Data({ device }: { device: Device }) {
  const { t, count } = useWords();
  const kept = useQuery(attributesQuery(device.id));
  return (
    <div className="split">
      <section className="card">
        <h2>{t('device.kept')}</h2>
        <Answer of={kept}>
          {({ attributes }) =>
            attributes.length === 0 ? (
              <p className="quiet">{t('device.keptNone')}</p>
            ) : (
              <div className="scroll" role="region" aria-label={t('device.kept')} tabIndex={0}>
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">{t('device.attribute')}</th>
                      <th scope="col">{t('device.value')}</th>
                      <th scope="col">{t('device.source')}</th>
                      <th scope="col">{t('device.at')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {attributes.map(({ name, value, source, at }) => (
                      <tr key={name}>
                        <td translate="no">{name}</td>
                        <td className="mono" translate="no">
                          {JSON.stringify(value)}
                        </td>
                        <td>{t(`device.from.${source}`)}</td>
                        <td>
                          <When at={at} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Answer>
      </section>
      <section className="card">
        <h2>{t('device.identity')}</h2>
        <Facts
          of={[
            [
              t('content.id'),
              <span key="i" className="mono" translate="no">
                {device.id}
              </span>,
            ],
            [
              t('devices.column.number'),
              <span key="n" translate="no">
                {count(device.deviceNo)}
              </span>,
            ],
            [
              t('devices.column.channel'),
              <span key="c" translate="no">
                {device.channel}
              </span>,
            ],
            [t('devices.column.enrolled'), <When key="e" at={device.enrolledAt} />],
            [t('device.expires'), <When key="x" at={device.expiresAt} />],
          ]}
        />
      </section>
    </div>
  );
}

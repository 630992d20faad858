import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import type { Device } from '../api/wire.js';
import { Trouble } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { DeviceStateSign } from './device-state-sign.js';
import { type DeviceIndex, type DeviceRows, useDeviceIndex, useDeviceRows } from './device-pages.js';

/** A million rows of 32 px are just below what Chromium lets an element be high. */
const ROW = 32;
const OVERSCAN = 12;

/** All devices, of which those in sight are in the page; a real table all the same. */
export function DeviceTable() {
  const box = useRef<HTMLDivElement>(null);
  const index = useDeviceIndex();
  const virtual = useVirtualizer({
    count: index.count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const rows = useDeviceRows(index, items[0]?.index ?? 0, items.at(-1)?.index ?? 0);
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  if (rows.error !== null) return <Trouble error={rows.error} onRetry={rows.retry} />;
  return (
    <Body box={box} list={index} rows={rows} indexes={items.map((item) => item.index)} above={above} below={below} />
  );
}

interface BodyProps {
  box: React.RefObject<HTMLDivElement | null>;
  list: DeviceIndex;
  rows: DeviceRows;
  indexes: number[];
  above: number;
  below: number;
}

function Body({ box, list, rows, indexes, above, below }: BodyProps) {
  const { t, count } = useWords();
  return (
    <>
      <div ref={box} className="table-box device-scroll" role="region" aria-label={t('nav.devices')} tabIndex={0}>
        <table className="table fixed" aria-rowcount={list.isWhole ? list.count + 1 : -1}>
          <caption className="visually-hidden">{t('nav.devices')}</caption>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col">{t('devices.column.label')}</th>
              <th scope="col">{t('devices.column.status')}</th>
              <th scope="col">{t('devices.column.channel')}</th>
              <th scope="col">{t('devices.column.enrolled')}</th>
              <th scope="col" className="number">
                {t('devices.column.number')}
              </th>
            </tr>
          </thead>
          <tbody>
            {above > 0 && <Space height={above} />}
            {indexes.map((index) => (
              <Row key={index} index={index} device={rows.row(index)} />
            ))}
            {below > 0 && <Space height={below} />}
          </tbody>
        </table>
      </div>
      <p className="quiet" role="status">
        {list.isWhole
          ? t('devices.total', { count: list.count, shown: count(list.count) })
          : t('devices.atLeast', { shown: count(list.count) })}
      </p>
    </>
  );
}

function Space({ height }: { height: number }) {
  return (
    <tr aria-hidden="true">
      <td colSpan={5} className="space" style={{ height }} />
    </tr>
  );
}

function Row({ index, device }: { index: number; device: Device | undefined }) {
  const { t, count } = useWords();
  if (device === undefined)
    return (
      <tr aria-rowindex={index + 2}>
        <td colSpan={5} className="quiet">
          {t('panel.loading')}
        </td>
      </tr>
    );
  const { id, label, status, channel, enrolledAt, deviceNo } = device;
  return (
    <tr aria-rowindex={index + 2}>
      <td>
        <Link to="/devices/$deviceId" params={{ deviceId: id }} preload={false} translate="no" title={id}>
          {label ?? id}
        </Link>
      </td>
      <td>
        <DeviceStateSign status={status} />
      </td>
      <td translate="no">{channel}</td>
      <td>
        <When at={enrolledAt} />
      </td>
      <td className="number" translate="no">
        {count(deviceNo)}
      </td>
    </tr>
  );
}

import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type ReactNode, useEffect, useRef } from 'react';
import type { Device } from '../api/wire.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { DeviceStateSign } from './device-state-sign.js';

const ROW = 32;
const OVERSCAN = 12;
/** What is higher than 33,554,428 px Chromium cuts off; a million rows of 32 px are just below that. */
export const MOST_ROWS = 1_000_000;

interface TableProps {
  count: number;
  row: (index: number) => Device | undefined;
  /** Is told the first row in sight. */
  onFirst?: (index: number) => void;
  children: ReactNode;
}

/** A table of so many devices, of which those in sight are in the page; a real table all the same. */
export function DeviceTable({ count, row, onFirst, children }: TableProps) {
  const { t } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: Math.min(count, MOST_ROWS),
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  useEffect(() => onFirst?.(first), [first, onFirst]);
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <>
      <div ref={box} className="table-box device-scroll" role="region" aria-label={t('nav.devices')} tabIndex={0}>
        <table className="table fixed" aria-rowcount={count + 1}>
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
            {items.map(({ index }) => (
              <Row key={index} index={index} device={row(index)} />
            ))}
            {below > 0 && <Space height={below} />}
          </tbody>
        </table>
      </div>
      <p className="quiet" role="status">
        {children}
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

/** Rows that stay in sight are not drawn anew while others come and go. */
const Row = memo(function Row({ index, device }: { index: number; device: Device | undefined }) {
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
});

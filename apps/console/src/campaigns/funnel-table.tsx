import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Progress } from '../api/wire.js';
import { useWords } from '../shell/words.js';
import { When } from '../shell/when.js';
import { type FunnelStep, funnelSteps } from './funnel.js';
import { openAt } from './lost.js';
import { reasonText } from './reasons.js';

/** The funnel as the table that it is: a bar, a number and the losses a step. */
export function FunnelTable({ progress }: { progress: Progress }) {
  const { t } = useWords();
  const steps = funnelSteps(progress.funnel, progress.dropped);
  return (
    <>
      <div className="scroll" role="region" aria-label={t('funnel.title')} tabIndex={0}>
        <table className="table funnel">
          <caption className="visually-hidden">{t('funnel.title')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('funnel.step')}</th>
              <th scope="col" className="number">
                {t('funnel.devices')}
              </th>
              <th scope="col" className="number">
                {t('funnel.kept')}
              </th>
              <th scope="col">{t('funnel.lost')}</th>
            </tr>
          </thead>
          <tbody>
            {steps.map((step) => (
              <Step key={step.name} step={step} />
            ))}
          </tbody>
        </table>
      </div>
      <p className="quiet">
        {t('funnel.asOf')} <When at={progress.eventAt} />
      </p>
    </>
  );
}

function Step({ step: { name, devices, width, kept, fewer, reasons, open } }: { step: FunnelStep }) {
  const { t, count, percent } = useWords();
  return (
    <tr>
      <th scope="row">
        <span title={t(`funnel.hint.${name}`)}>{t(`funnel.steps.${name}`)}</span>
        <svg className="funnel-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
          <rect width={100} height={6} className="ground" />
          <rect width={Math.max(devices > 0 ? 0.5 : 0, width * 100)} height={6} className="share" />
        </svg>
      </th>
      <td className="number" translate="no" data-step={name}>
        {count(devices)}
      </td>
      <td className="number" translate="no">
        {kept === undefined ? '' : percent(kept)}
      </td>
      <td>
        <ul className="plain-list losses">
          {reasons.map((each) => (
            <li key={`${each.kind}:${each.reason}`}>
              <Link to="." search={(old) => ({ ...old, lost: `${each.kind}:${each.reason}` })}>
                <span translate="no">{count(each.devices)}</span> {reasonText(t, each)}
              </Link>
            </li>
          ))}
          {open > 0 && fewer > 0 && (
            <li className="quiet">
              <Open at={openAt(name)}>
                <span translate="no">{count(open)}</span> {t('funnel.open')}
              </Open>
            </li>
          )}
        </ul>
      </td>
    </tr>
  );
}

function Open({ at, children }: { at: string | undefined; children: ReactNode }) {
  if (at === undefined) return children;
  return (
    <Link to="." search={(old) => ({ ...old, lost: at })}>
      {children}
    </Link>
  );
}

import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Campaign, Window } from '../api/wire.js';
import { contentQuery } from '../contents/content-query.js';
import { useDayNames } from './day-names.js';
import { EVERYBODY } from '../wizard/draft-form.js';
import { Facts } from '../shell/facts.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;
/** What the campaign says of itself. */
export function SettingsPanel({ campaign }: { campaign: Campaign }) {
  const { t, count, bytes, percent } = useWords();
  const { caps, stopRules, windows, timeouts, parent } = campaign;
  const none = <span className="quiet">{t('settings.none')}</span>;
  return (
    <section className="card">
      <h2>{t('settings.title')}</h2>
      <Facts
        of={[
          [t('settings.contents'), <Contents key="c" ids={campaign.contents} />],
          [
            t('settings.channel'),
            <span key="c" translate="no">
              {campaign.channel}
            </span>,
          ],
          [
            t('settings.selector'),
            campaign.selector === EVERYBODY ? (
              none
            ) : (
              <code key="s" className="mono" translate="no">
                {campaign.selector}
              </code>
            ),
          ],
          [t('settings.mode'), t(`mode.${campaign.mode}`)],
          [t('settings.start'), campaign.start === null ? none : <When key="s" at={campaign.start} />],
          [t('settings.end'), campaign.end === null ? none : <When key="e" at={campaign.end} />],
          [
            t('settings.windows'),
            windows.length === 0
              ? t('settings.always')
              : windows.map((each) => <WindowLine key={JSON.stringify(each)} of={each} />),
          ],
          [t('settings.priority'), `${t(`class.${campaign.class}`)} · ${count(campaign.priority)}`],
          [t('settings.transfers'), caps.transfers == null ? false : count(caps.transfers)],
          [t('settings.perSecond'), caps.bytesPerSecond == null ? false : bytes(caps.bytesPerSecond)],
          [t('settings.perDay'), caps.bytesPerDay == null ? false : bytes(caps.bytesPerDay)],
          [
            t('settings.stopRules'),
            stopRules.length === 0
              ? none
              : stopRules.map(({ on, share, minimum = 0 }) => (
                  <div key={on + share}>
                    {t('settings.stop', { on: t(`stop.${on}`), share: percent(share), minimum: count(minimum) })}
                  </div>
                )),
          ],
          [
            t('settings.transferTimeout'),
            timeouts.transferMinutes == null ? false : t('settings.minutes', { count: timeouts.transferMinutes }),
          ],
          [
            t('settings.confirmTimeout'),
            timeouts.confirmMinutes == null ? false : t('settings.minutes', { count: timeouts.confirmMinutes }),
          ],
          [
            t('settings.conflictGroup'),
            campaign.conflictGroup !== null && (
              <span key="g" translate="no">
                {campaign.conflictGroup}
              </span>
            ),
          ],
          [
            t('settings.parent'),
            parent !== null && (
              <Link key="p" to="/campaigns/$campaignId" params={{ campaignId: parent.campaignId }}>
                {parent.outcomes.map((outcome) => t(`outcome.${outcome}`)).join(', ')}
              </Link>
            ),
          ],
        ]}
      />
    </section>
  );
}

function WindowLine({ of: { days, from, to, zone } }: { of: Window }) {
  const { t } = useWords();
  const dayName = useDayNames();
  const isDaily = DAYS.every((day) => days.includes(day));
  return (
    <div>
      {isDaily ? t('settings.daily') : days.map(dayName).join(', ')} <span translate="no">{`${from}–${to}`}</span>{' '}
      {zone === 'device' ? t('settings.deviceZone') : <span translate="no">{zone}</span>}
    </div>
  );
}

function Contents({ ids }: { ids: readonly string[] }) {
  const contents = useQueries({ queries: ids.map((id) => contentQuery(id)) });
  return contents.map(({ data }, n) => (
    <div key={ids[n]}>
      <Link to="/contents/$contentId" params={{ contentId: ids[n] ?? '' }} translate="no">
        {data === undefined ? ids[n] : `${data.description.name} ${data.description.version}`}
      </Link>
    </div>
  ));
}

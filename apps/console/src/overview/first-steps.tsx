import { useMay } from '../session/session.js';
import { CopyLine } from '../shell/copy-line.js';
import { LinkButton } from '../shell/link-button.js';
import { useWords } from '../shell/words.js';

/** Nothing is here yet: three ways to begin, each for who may. */
export function FirstSteps() {
  const { t } = useWords();
  const may = useMay();
  return (
    <>
      <p>{t('first.welcome')}</p>
      <div className="cards">
        <section className="card">
          <h2>{t('first.demo')}</h2>
          <p className="quiet">{t('first.demoHint')}</p>
          <CopyLine line="npm run -s muster -- demo" />
        </section>
        {may('campaign:write') && (
          <section className="card">
            <h2>{t('first.campaign')}</h2>
            <p className="quiet">{t('first.campaignHint')}</p>
            <div className="head">
              <LinkButton to="/contents" variant="default">
                {t('contents.upload')}
              </LinkButton>
              <LinkButton to="/campaigns/new">{t('campaigns.new')}</LinkButton>
            </div>
          </section>
        )}
        {may('enrolment:write') && (
          <section className="card">
            <h2>{t('first.agent')}</h2>
            <p className="quiet">{t('first.agentHint')}</p>
            <LinkButton to="/devices" variant="default">
              {t('devices.connect')}
            </LinkButton>
          </section>
        )}
      </div>
    </>
  );
}

import { Link } from '@tanstack/react-router';
import { CampaignActs } from '../campaigns/campaign-acts.js';
import { CampaignState } from '../campaigns/campaign-state.js';
import { ReviewPanel } from '../campaigns/review-panel.js';
import { SettingsPanel } from '../campaigns/settings-panel.js';
import { WavesPanel } from '../campaigns/waves-panel.js';
import type { Campaign } from '../api/wire.js';
import { useWords } from '../shell/words.js';

/** Everything once more, and the way on: to review, or to the handsets. */
export function ReviewStep({ campaign }: { campaign: Campaign }) {
  const { t } = useWords();
  return (
    <div className="column">
      <div className="head">
        <CampaignState status={campaign.status} />
        <Link to="/campaigns/$campaignId" params={{ campaignId: campaign.campaignId }}>
          {t('wizard.toCampaign')}
        </Link>
        <div className="acts">
          <CampaignActs campaign={campaign} progress={undefined} />
        </div>
      </div>
      <div className="split">
        <SettingsPanel campaign={campaign} />
        <div className="column">
          <ReviewPanel campaign={campaign} />
          <WavesPanel campaign={campaign} />
        </div>
      </div>
    </div>
  );
}

import type { CampaignStatus } from '../api/wire.js';
import { useWords } from '../shell/words.js';

const TONES: Record<CampaignStatus, 'go' | 'bad' | 'wait' | 'quiet'> = {
  none: 'quiet',
  draft: 'quiet',
  'in-review': 'wait',
  approved: 'wait',
  scheduled: 'wait',
  running: 'go',
  paused: 'wait',
  halted: 'bad',
  draining: 'go',
  completed: 'quiet',
  aborted: 'bad',
};

/** A dot and a word: colour alone says nothing. */
export function CampaignState({ status }: { status: CampaignStatus }) {
  const { t } = useWords();
  return (
    <span className="state" data-tone={TONES[status]}>
      {t(`campaign.status.${status}`)}
    </span>
  );
}

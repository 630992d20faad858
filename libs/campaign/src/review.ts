import type { CampaignState } from './campaign.js';
import { refusal, refused } from './errors.js';
import type { CampaignEvent, DryRunSummary } from './events.js';

export interface Named {
  campaignId: string;
}

export type ReviewCommand =
  | {
      type: 'SubmitCampaign';
      /** `report`: digest of the dry run that its judges are shown, sha-256 hex. */
      data: Named & { report?: string; summary?: DryRunSummary };
      around: { approvals: number };
    }
  | { type: 'ApproveCampaign'; data: Named & { remark: string } }
  | { type: 'RejectCampaign'; data: Named & { reason: string } };

/** The review of a draft by others than its authors. @throws CampaignError */
export function reviewCommand(state: CampaignState, command: ReviewCommand & { by: string }): CampaignEvent[] {
  switch (command.type) {
    case 'SubmitCampaign':
      return submit(state, command);
    case 'ApproveCampaign':
      return approve(state, command);
    case 'RejectCampaign':
      return reject(state, command);
  }
}

type Of<Type extends ReviewCommand['type']> = Extract<ReviewCommand, { type: Type }> & { by: string };

/** Who asks for a review gets one: by one at least, whatever the policy. */
function submit({ status }: CampaignState, { data, around, by }: Of<'SubmitCampaign'>): CampaignEvent[] {
  const { campaignId, report = null, summary } = data;
  if (status === 'in-review' || status === 'approved') return [];
  if (status !== 'draft') throw refused('campaign.not-draft', campaignId, 'only a draft is submitted');
  const required = Math.max(1, around.approvals);
  const shown = { report, ...(summary === undefined ? {} : { summary }) };
  return [{ type: 'CampaignSubmitted', data: { campaignId, by, required, ...shown } }];
}

/** Whoever has a hand in what stands does not judge it, whatever else they may. */
function approve(state: CampaignState, { data, by }: Of<'ApproveCampaign'>): CampaignEvent[] {
  const { status, authors, approvals, required } = state;
  const { campaignId } = data;
  if (approvals.includes(by)) return [];
  if (status !== 'in-review') throw refused('campaign.not-in-review', campaignId, 'it is not in review');
  if (authors.includes(by)) throw refused('campaign.own', campaignId, 'somebody else has to approve it');
  const remaining = Math.max(0, required - approvals.length - 1);
  return [{ type: 'CampaignApproved', data: { ...data, by, remaining } }];
}

function reject({ status }: CampaignState, { data, by }: Of<'RejectCampaign'>): CampaignEvent[] {
  const { campaignId, reason } = data;
  if (status === 'draft') return [];
  if (status !== 'in-review' && status !== 'approved')
    throw refused('campaign.not-in-review', campaignId, 'it is not in review');
  if (reason.trim() === '') throw refusal('campaign.reason-missing', '/reason', 'its authors have to hear why');
  return [{ type: 'CampaignRejected', data: { campaignId, by, reason } }];
}

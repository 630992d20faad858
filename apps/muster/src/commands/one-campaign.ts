export interface Campaign {
  campaignId: string;
  name: string;
  channel: string;
  contents: string[];
  mode: string;
  selector: string;
  status: string;
  pause: string | null;
  start: string | null;
  end: string | null;
  waveUpTo: number;
  holdOut: number;
  priority: number;
  version: number;
}

export const campaign = { campaign: { help: 'id of the campaign' } };
export const reason = { type: 'string', help: 'why, for the record', required: true } as const;
export const pathOf = (id: string): string => `/v1/campaigns/${encodeURIComponent(id)}`;

import { api, dataOf, ifMatch } from '../api/client.js';
import type { Campaign } from '../api/wire.js';
import type { Act } from './acts.js';

interface Given {
  campaignId: string;
  version: number;
  /** Only tried: the answer is what would be. */
  isDry?: boolean;
}

/** Gives the command. @throws ApiProblem */
export function run(act: Act, { campaignId, version, isDry = false }: Given): Promise<Campaign> {
  const options = {
    params: { path: { campaignId }, ...(isDry ? { query: { dry_run: true } } : {}) },
    headers: ifMatch(version),
  };
  switch (act.verb) {
    case 'submit':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/submit', { ...options, body: act.body }));
    case 'approve':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/approve', { ...options, body: act.body }));
    case 'reject':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/reject', { ...options, body: act.body }));
    case 'schedule':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/schedule', { ...options, body: act.body }));
    case 'wave':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/wave', { ...options, body: act.body }));
    case 'pause':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/pause', { ...options, body: act.body }));
    case 'resume':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/resume', { ...options, body: act.body }));
    case 'complete':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/complete', { ...options, body: act.body }));
    case 'abort':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/abort', { ...options, body: act.body }));
    case 'undo':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/undo', { ...options, body: act.body }));
    case 'retry':
      return dataOf(api.POST('/v1/campaigns/{campaignId}/retry', { ...options, body: act.body }));
  }
}

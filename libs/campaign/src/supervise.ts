import type { CampaignState } from './campaign.js';
import type { CampaignCommand } from './decide.js';
import { OUTCOMES, responded, type Tally } from './outcomes.js';
import { stopFired } from './stop-rules.js';
import { judgeWave, waveAt } from './waves.js';

type Order = Extract<CampaignCommand, { type: 'OpenWave' | 'HaltCampaign' }>;
export type Supervision =
  | Pick<Extract<Order, { type: 'OpenWave' }>, 'type' | 'data'>
  | Pick<Extract<Order, { type: 'HaltCampaign' }>, 'type' | 'data'>;

/** What must be counted of a campaign to judge it; undefined when nothing of it depends on outcomes. */
export const isSupervised = ({ status, settings }: CampaignState): boolean =>
  status === 'running' && settings !== null && (settings.stopRules.length > 0 || settings.waves.length > 0);

/** What has come since a person looked last; a device that has come to another end meanwhile takes nothing away. */
const since = (all: Tally, seen: Tally): Tally =>
  Object.fromEntries(OUTCOMES.map((outcome) => [outcome, Math.max(0, all[outcome] - seen[outcome])])) as Tally;

/**
 * What a running campaign comes to by what has become of its devices: halted by a stop rule, which goes before all, its next
 * wave opened, or halted because its wave has not come to what the gate wants in time.
 * @param all of the campaign @param ofWave of those that were granted it since the wave was opened
 */
export function supervise(
  campaignId: string,
  { settings, waveOpenedAt, runsSince, seen }: CampaignState,
  { all, ofWave, now }: { all: Tally; ofWave: Tally; now: number },
): Supervision | undefined {
  const fired = stopFired(settings!.stopRules, since(all, seen));
  if (fired !== undefined) return { type: 'HaltCampaign', data: { campaignId, tally: all, cause: 'stop-rule', fired } };
  const { current, next } = waveAt(settings!.waves, settings!.waveUpTo);
  if (current?.gate == null || next === undefined || waveOpenedAt === null) return undefined;
  const opened = Math.max(Date.parse(waveOpenedAt), Date.parse(runsSince ?? waveOpenedAt));
  switch (judgeWave(current.gate, ofWave, opened, now)) {
    case 'open':
      return { type: 'OpenWave', data: { campaignId, waveUpTo: next.upTo } };
    case 'timed-out':
      return {
        type: 'HaltCampaign',
        data: { campaignId, tally: all, cause: 'wave-timeout', responded: responded(ofWave) },
      };
    case 'wait':
      return undefined;
  }
}

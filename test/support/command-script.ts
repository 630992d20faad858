import fc from 'fast-check';
import type { CampaignCommand } from '#campaign/index.js';
import type { HandsetCommand } from '#identity/testing.js';

/** Devices of a tenant. */
export const DEVICES = 3;

/** Small numbers name what a step is about, so that steps meet each other and scripts shrink; `twist` makes up the rest. */
interface About {
  tenant: number;
  twist: number;
}
export interface Said {
  by: 'device' | 'server';
  device: number;
  campaign: number;
  content: number;
  what: number;
  /** A device's numbering is any: repeats, gaps and epochs that are over. */
  epoch: number;
  n: number;
}
export type Step = About &
  (
    | { kind: 'content'; content: number; command: 'PublishContent' | 'WithdrawContent' }
    | { kind: 'campaign'; campaign: number; command: CampaignCommand['type'] }
    | { kind: 'handset'; device: number; command: HandsetCommand['type'] }
    | { kind: 'catalogue'; campaigns: readonly number[] }
    | { kind: 'polls'; partition: number; devices: readonly number[] }
    /** `isRepeated`: the answer was lost, so the same facts with the same numbers are written again. */
    | { kind: 'facts'; facts: readonly Said[]; isRepeated: boolean }
  );

const about = { tenant: fc.nat(1), twist: fc.nat(11) };
const small = fc.nat(1);
const said = (): fc.Arbitrary<Said> =>
  fc.record({
    by: fc.constantFrom('device' as const, 'server' as const),
    device: fc.nat(DEVICES - 1),
    ...{ campaign: fc.nat(1), content: fc.nat(1) },
    what: fc.nat(13),
    epoch: fc.integer({ min: 1, max: 3 }),
    n: fc.integer({ min: 1, max: 9 }),
  });

/** One random step. */
export const step = (): fc.Arbitrary<Step> => {
  const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
  const content = fc.record({
    ...{ kind: kind('content'), ...about, content: fc.nat(1) },
    command: fc.constantFrom('PublishContent' as const, 'PublishContent' as const, 'WithdrawContent' as const),
  });
  const campaign = fc.record({
    ...{ kind: kind('campaign'), ...about, campaign: small },
    command: fc.constantFrom<CampaignCommand['type']>(
      ...(['DraftCampaign', 'EditCampaign', 'ScheduleCampaign', 'StartCampaign', 'OpenWave'] as const),
      ...(['PauseCampaign', 'ResumeCampaign', 'PauseCampaign', 'ResumeCampaign'] as const),
      ...(['CompleteCampaign', 'AbortCampaign', 'HaltCampaign', 'UndoStep'] as const),
      ...(['SubmitCampaign', 'ApproveCampaign', 'RejectCampaign'] as const),
    ),
  });
  const identity = fc.record({
    ...{ kind: kind('handset'), ...about, device: fc.nat(DEVICES - 1) },
    command: fc.constantFrom<HandsetCommand['type']>(
      ...(['EnrolHandset', 'EnrolHandset', 'RenewHandset', 'ReplaceHandset'] as const),
      ...(['DeliverRules', 'RevokeHandset', 'ForgetHandset'] as const),
    ),
  });
  const catalogue = fc.record({ kind: kind('catalogue'), ...about, campaigns: fc.uniqueArray(small) });
  const polls = fc.record({
    ...{ kind: kind('polls'), ...about, partition: fc.nat(11) },
    devices: fc.array(fc.nat(DEVICES), { minLength: 1, maxLength: 4 }),
  });
  const facts = fc.record({
    ...{ kind: kind('facts'), ...about, isRepeated: fc.boolean() },
    facts: fc.array(said(), { minLength: 1, maxLength: 5 }),
  });
  return fc.oneof(content, campaign, campaign, identity, identity, catalogue, polls, facts, facts, facts);
};

/** What most other steps need: contents, drafts and enrolments of both tenants. */
export const prologue: readonly Step[] = [0, 1].flatMap((tenant): Step[] => [
  { kind: 'content', tenant, twist: 0, content: 0, command: 'PublishContent' },
  { kind: 'campaign', tenant, twist: 0, campaign: 0, command: 'DraftCampaign' },
  { kind: 'campaign', tenant, twist: 0, campaign: 0, command: 'ScheduleCampaign' },
  { kind: 'campaign', tenant, twist: 4, campaign: 1, command: 'DraftCampaign' },
  { kind: 'handset', tenant, twist: 1, device: 0, command: 'EnrolHandset' },
  { kind: 'handset', tenant, twist: 1, device: 1, command: 'EnrolHandset' },
]);

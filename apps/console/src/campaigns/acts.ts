import type { components } from 'openapi-schema';
import type { Campaign, CampaignStatus } from '../api/wire.js';
import type { Permission } from '../session/permissions.js';

type Schemas = components['schemas'];

/** What can be done to a campaign, with what it takes. */
export type Act =
  | { verb: 'submit'; body: Schemas['SubmitDto'] }
  | { verb: 'approve'; body: Schemas['ApproveDto'] }
  | { verb: 'reject'; body: Schemas['ReasonDto'] }
  | { verb: 'schedule'; body: Schemas['ScheduleDto'] }
  | { verb: 'wave'; body: Schemas['OpenWaveDto'] }
  | { verb: 'pause'; body: Schemas['PauseDto'] }
  | { verb: 'resume'; body: Schemas['ResumeDto'] }
  | { verb: 'complete'; body: Schemas['ReasonDto'] }
  | { verb: 'abort'; body: Schemas['AbortDto'] }
  | { verb: 'undo'; body: Schemas['ReasonDto'] }
  | { verb: 'retry'; body: Schemas['RetryDto'] };
export type Verb = Act['verb'];

interface Rule {
  needs: Permission;
  when: readonly CampaignStatus[];
}

/** In the order of their buttons. The server has the last word; this only leaves out what cannot be. */
const RULES: Readonly<Record<Verb, Rule>> = {
  submit: { needs: 'campaign:write', when: ['draft'] },
  approve: { needs: 'campaign:approve', when: ['in-review'] },
  reject: { needs: 'campaign:approve', when: ['in-review', 'approved'] },
  schedule: { needs: 'campaign:operate', when: ['draft', 'approved'] },
  wave: { needs: 'campaign:operate', when: ['scheduled', 'running', 'paused'] },
  pause: { needs: 'campaign:operate', when: ['running'] },
  resume: { needs: 'campaign:operate', when: ['paused', 'halted'] },
  complete: { needs: 'campaign:operate', when: ['running', 'paused', 'halted', 'draining'] },
  abort: { needs: 'campaign:operate', when: ['scheduled', 'running', 'paused', 'halted', 'draining'] },
  undo: {
    needs: 'campaign:operate',
    when: ['scheduled', 'running', 'paused', 'halted', 'draining', 'completed', 'aborted'],
  },
  retry: { needs: 'campaign:write', when: ['completed', 'aborted'] },
};

interface Standpoint {
  may: (permission: Permission) => boolean;
  /** As the log names the caller. */
  actor: string;
  /** How many people have to approve, by the tenant's rule. */
  approvals: number;
  now: number;
}

/** What the caller can do to the campaign as it stands. */
export function actsFor(campaign: Campaign, { may, actor, approvals, now }: Standpoint): Verb[] {
  const { status, undoable, authors, waveUpTo } = campaign;
  const possible: Partial<Record<Verb, boolean>> = {
    // Nobody judges what they have written themselves.
    approve: !authors.includes(actor),
    reject: !authors.includes(actor),
    submit: approvals > 0,
    schedule: status === 'approved' || approvals === 0,
    wave: waveUpTo < 10_000,
    undo: undoable !== null && Date.parse(undoable.until) > now,
  };
  return (Object.keys(RULES) as Verb[]).filter(
    (verb) => RULES[verb].when.includes(status) && may(RULES[verb].needs) && possible[verb] !== false,
  );
}

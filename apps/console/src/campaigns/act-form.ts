import type { Act, Verb } from './acts.js';
import type { Campaign } from '../api/wire.js';
import { nextWave } from './waves.js';

type Outcome = Extract<Act, { verb: 'retry' }>['body']['outcomes'][number];

/** What the dialog asks for, whatever the act. */
export interface ActForm {
  reason: string;
  kind: 'soft' | 'hard';
  disposition: 'keep' | 'recall';
  waveUpTo: number;
  /** RFC 3339, or empty: now. */
  start: string;
  outcomes: Outcome[];
  /** The campaign's name, typed once more. */
  typed: string;
}

export const initialForm = ({ waves, waveUpTo }: Campaign): ActForm => ({
  reason: '',
  kind: 'soft',
  disposition: 'keep',
  waveUpTo: nextWave(waves, waveUpTo) ?? waveUpTo,
  start: '',
  outcomes: ['failed', 'timed-out', 'silent'],
  typed: '',
});

/** Above so many devices that have heard of it, ending a campaign asks for its name. */
const TYPED_ABOVE = 100;

export const asksForName = (verb: Verb, devices: number): boolean => verb === 'abort' && devices > TYPED_ABOVE;

/** Whether the act is given with a reason, or can be. */
export function reasonOf(verb: Verb, { status }: Campaign): 'required' | 'optional' | 'none' {
  if (verb === 'resume') return status === 'halted' ? 'required' : 'optional';
  if (verb === 'approve') return 'optional';
  return ['reject', 'pause', 'complete', 'abort', 'undo'].includes(verb) ? 'required' : 'none';
}

/** What is left empty is not said. */
const said = <Name extends string>(name: Name, text: string): Partial<Record<Name, string>> =>
  text === '' ? {} : ({ [name]: text } as Record<Name, string>);

export function actOf(verb: Verb, form: ActForm): Act {
  const reason = form.reason.trim();
  switch (verb) {
    case 'submit':
      return { verb, body: {} };
    case 'approve':
      return { verb, body: said('remark', reason) };
    case 'schedule':
      return { verb, body: said('start', form.start) };
    case 'wave':
      return { verb, body: { waveUpTo: form.waveUpTo } };
    case 'pause':
      return { verb, body: { kind: form.kind, reason } };
    case 'resume':
      return { verb, body: said('reason', reason) };
    case 'abort':
      return { verb, body: { disposition: form.disposition, reason } };
    case 'retry':
      return { verb, body: { outcomes: form.outcomes } };
    case 'reject':
    case 'complete':
    case 'undo':
      return { verb, body: { reason } };
  }
}

/** What still stands between the form and the act: none when it can be given. */
export function missing(
  verb: Verb,
  form: ActForm,
  campaign: Campaign,
  devices: number,
): 'reason' | 'name' | 'outcomes' | undefined {
  if (reasonOf(verb, campaign) === 'required' && form.reason.trim() === '') return 'reason';
  if (asksForName(verb, devices) && form.typed !== campaign.name) return 'name';
  if (verb === 'retry' && form.outcomes.length === 0) return 'outcomes';
  return undefined;
}

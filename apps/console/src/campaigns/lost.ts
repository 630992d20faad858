import type { Dropped } from '../api/wire.js';
import { STEPS, type StepName } from './funnel.js';

/** Steps that one device's own row has; who polled is known by number alone. */
type DeviceStep = Exclude<StepName, 'polled'>;

/** Which devices a line of the funnel is about, as the server is asked for them. */
export type Lost = { kind: Dropped['kind']; reason: string } | { reached: DeviceStep; missed: DeviceStep };

const KINDS: readonly string[] = ['declined', 'withheld', 'failed'] satisfies Dropped['kind'][];

/** Who came to the step before and no further, as the address has it; undefined where no rows are kept of it. */
export const openAt = (step: StepName): string | undefined =>
  step === 'polled' || step === 'matched' ? undefined : `open:${step}`;

/** `kind:reason`, or `open:step`. */
export function lostOf(text: string): Lost | undefined {
  const [kind = '', reason = ''] = text.split(':');
  if (KINDS.includes(kind)) return { kind: kind as Dropped['kind'], reason };
  const at = STEPS.findIndex((step) => step === reason);
  if (kind !== 'open' || at < 2) return undefined;
  return { reached: STEPS[at - 1] as DeviceStep, missed: STEPS[at] as DeviceStep };
}

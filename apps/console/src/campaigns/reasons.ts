import type { TFunction } from 'i18next';
import type { Dropped } from '../api/wire.js';

/** Reasons that people have words for; another is shown as the log has it. */
const KNOWN = [
  ...(['no-fit', 'user', 'no-space', 'battery', 'metered', 'digest', 'install-failed', 'rolled-back'] as const),
  ...(['cap', 'channel', 'conflict', 'ended', 'hold-out', 'mode', 'not-running', 'not-started'] as const),
  ...(['not-offered', 'offered', 'paused', 'precedence', 'retry', 'taken', 'wave', 'window', 'withdrawn'] as const),
  ...(['known', 'declined'] as const),
] as const;
export type Reason = (typeof KNOWN)[number];

const isKnown = (reason: string): reason is Reason => KNOWN.some((each) => each === reason);

/** A gate or a reason in words. */
export const gateText = (t: TFunction, reason: string): string => (isKnown(reason) ? t(`reason.${reason}`) : reason);

export const reasonText = (t: TFunction, { kind, reason }: Pick<Dropped, 'kind' | 'reason'>): string =>
  `${t(`funnel.kind.${kind}`)}: ${gateText(t, reason)}`;

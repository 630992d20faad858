import type { Dropped, Funnel } from '../api/wire.js';

export const STEPS = ['polled', 'matched', 'requested', 'transferred', 'installed', 'confirmed'] as const;
export type StepName = (typeof STEPS)[number];

/** One step: how many came so far, what of the first that is, and why others did not. */
export interface FunnelStep {
  name: StepName;
  devices: number;
  /** Of the widest step, 0 to 1: the length of its bar. */
  width: number;
  /** Of the step before, 0 to 1; the first has none. */
  kept: number | undefined;
  /** Fewer than at the step before. */
  fewer: number;
  reasons: readonly Dropped[];
  /** Of those that are fewer, who have given no reason: under way, or never heard of again. */
  open: number;
}

const DECLINED_AT: Readonly<Record<string, StepName>> = {
  'no-fit': 'matched',
  digest: 'transferred',
  'install-failed': 'installed',
};

/** The step that a device that stands there has not come to. */
export function stepLost({ kind, reason }: Dropped): StepName {
  if (kind === 'declined') return DECLINED_AT[reason] ?? 'requested';
  if (kind === 'withheld') return 'transferred'; // it has asked, and got no grant
  return reason === 'rolled-back' ? 'confirmed' : 'installed';
}

/** Each step counts for itself: one that was asked for out of turn can be wider than the one before. */
export function funnelSteps(funnel: Funnel, dropped: readonly Dropped[]): FunnelStep[] {
  const widest = Math.max(1, ...STEPS.map((name) => funnel[name]));
  return STEPS.map((name, n) => {
    const before = n === 0 ? undefined : funnel[STEPS[n - 1] as StepName];
    const devices = funnel[name];
    const reasons = dropped.filter((each) => stepLost(each) === name).sort((a, b) => b.devices - a.devices);
    const fewer = before === undefined ? 0 : Math.max(0, before - devices);
    return {
      name,
      devices,
      width: devices / widest,
      kept: before === undefined || before === 0 ? undefined : Math.min(1, devices / before),
      fewer,
      reasons,
      open: Math.max(0, fewer - reasons.reduce((sum, reason) => sum + reason.devices, 0)),
    };
  });
}

/** Devices that have something under way: granted, and neither installed nor out. */
export function underWay(funnel: Funnel, dropped: readonly Dropped[]): number {
  const out = dropped
    .filter((each) => stepLost(each) === 'transferred' || stepLost(each) === 'installed')
    .reduce((sum, { devices }) => sum + devices, 0);
  return Math.max(0, funnel.requested - funnel.installed - out);
}

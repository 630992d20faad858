import type { PlannedWave } from '../api/wire.js';

/** Buckets that devices are spread over. */
export const BUCKETS = 10_000;

export interface WaveRow {
  n: number;
  upTo: number;
  /** Of all devices, those of earlier waves included. */
  share: number;
  state: 'open' | 'current' | 'closed';
  gate: PlannedWave['gate'] | undefined;
}

/** The plan with where it stands; without a plan there is one wave, opened by hand. */
export function waveRows(waves: readonly PlannedWave[], waveUpTo: number): WaveRow[] {
  const plan = waves.length === 0 ? [{ upTo: waveUpTo }] : waves;
  const current = plan.findLastIndex(({ upTo }) => upTo <= waveUpTo);
  return plan.map(({ upTo, ...rest }, index) => ({
    n: index + 1,
    upTo,
    share: upTo / BUCKETS,
    state: index < current ? 'open' : index === current ? 'current' : 'closed',
    gate: 'gate' in rest ? rest.gate : undefined,
  }));
}

/** How far the next step of the plan would open it; without one, to everybody. */
export function nextWave(waves: readonly PlannedWave[], waveUpTo: number): number | undefined {
  if (waveUpTo >= BUCKETS) return undefined;
  return waves.find(({ upTo }) => upTo > waveUpTo)?.upTo ?? BUCKETS;
}

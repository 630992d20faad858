import { responded, type Tally } from './outcomes.js';

/** What must be true of a wave before the next opens. */
export interface WaveGate {
  /** So many devices of it have an outcome. */
  minimum: number;
  /** Lower bound, at 95 %, of the share of those that is confirmed: 0 to 1. */
  success: number;
  /** If it has not come to that by then, a person has to look; minutes. */
  timeoutMinutes: number;
}

export interface Wave {
  /** Buckets below are in it (0 to 10,000), those of the waves before included. */
  upTo: number;
  /** For the wave behind it; null: a person opens that. */
  gate: WaveGate | null;
}

export type WaveVerdict = 'open' | 'wait' | 'timed-out';

/** The normal quantile of a two-sided 95 %. */
const Z = 1.959964;
const MINUTE = 60_000;

/**
 * Lower bound of Wilson's score interval for a share, at 95 %: few answers give a low bound, whatever they say, so that three
 * out of three open nothing that wants 95 %.
 * @see E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927)
 */
export function wilsonLowerBound(successes: number, of: number): number {
  if (successes === 0) return 0; // rounding would leave a trace of a share
  const share = successes / of;
  const z2 = Z * Z;
  const centre = share + z2 / (2 * of);
  const spread = Z * Math.sqrt((share * (1 - share) + z2 / (4 * of)) / of);
  return Math.max(0, (centre - spread) / (1 + z2 / of));
}

/**
 * Whether the next wave may open: by who has answered, never by who was addressed, since a wave in which half are switched off
 * would stall for ever, and one in which they count as well would hide its failures.
 */
export function judgeWave(gate: WaveGate, tally: Tally, openedAt: number, now: number): WaveVerdict {
  const of = responded(tally);
  if (of >= gate.minimum && wilsonLowerBound(tally.confirmed, of) >= gate.success) return 'open';
  return now >= openedAt + gate.timeoutMinutes * MINUTE ? 'timed-out' : 'wait';
}

/** The wave that a campaign is in, and the one behind it. */
export function waveAt(waves: readonly Wave[], waveUpTo: number): { current?: Wave; next?: Wave } {
  const next = waves.findIndex(({ upTo }) => upTo > waveUpTo);
  if (next === -1) return { current: waves.at(-1) };
  return { current: next === 0 ? undefined : waves[next - 1], next: waves[next] };
}

/** How busy the process that answers polls may be for long: beyond it handsets are asked to come less often. */
const BUSY = 0.8;
/** Never more times the interval that the operator set. */
const LONGEST = 16;

export interface Load {
  /** Share of the time in which the event loop had something to do, 0 to 1. */
  utilisation: number;
  /** For how long it was so. */
  elapsedMs: number;
  /** The interval that the operator set. */
  intervalMs: number;
}

/**
 * By how much the interval is stretched from now on. The load answers to it only when handsets come again, an interval later,
 * so it is moved in steps of that pace: a faster one would overshoot, and the fleet would swing between rush and silence.
 * @param stretch so far, 1 or more
 */
export function nextStretch(stretch: number, { utilisation, elapsedMs, intervalMs }: Load): number {
  const wanted = Math.min(Math.max((stretch * utilisation) / BUSY, 1), LONGEST);
  return stretch + (wanted - stretch) * Math.min(1, elapsedMs / intervalMs);
}

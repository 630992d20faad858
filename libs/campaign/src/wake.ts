/** Where a channel's wakes go: a gateway that reaches its devices, and so often at most. */
export interface WakeTarget {
  url: string;
  /** Messages a minute; so many may go at once, too. */
  perMinute: number;
}

/** All that a wake says: that this device should poll, and nothing of why. */
export const wakeBody = (deviceId: string): string => JSON.stringify({ message: 'poll now', deviceId });

export interface Bucket {
  /** Messages that may go now. */
  credit: number;
  /** When it was counted, ms. */
  at: number;
}

/** As many of `wanted` as may go now, and what is left: it fills by `perMinute`, to so many at most. */
export function takeTokens(
  { credit, at }: Bucket,
  perMinute: number,
  wanted: number,
  now: number,
): Bucket & { taken: number } {
  const filled = Math.min(perMinute, credit + (Math.max(0, now - at) / 60_000) * perMinute);
  const taken = Math.min(wanted, Math.floor(filled));
  return { credit: filled - taken, at: Math.max(at, now), taken };
}

/** Time as a port: rules get instants, and tests move them. Milliseconds since 1970, UTC. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** RFC 3339 UTC with milliseconds, the one form in which instants are written. */
export const instant = (ms: number): string => new Date(ms).toISOString();

/** How an upload stands; what is kept of it survives the page. */
export interface UploadView {
  id: string;
  name: string;
  size: number;
  sent: number;
  /** `asleep`: its file is not at hand after a reload. */
  state: 'running' | 'paused' | 'asleep' | 'failed' | 'done';
  /** Address of the upload, once the server has made it. */
  url: string | null;
  error: string | null;
  /** The browser has the file, and goes on with it after a reload. */
  isKept: boolean;
}

/** When how much was sent: the last few seconds of it. */
export interface Speed {
  at: number;
  sent: number;
}

const WINDOW_MS = 5_000;

export const withSpeed = (speeds: readonly Speed[], now: Speed): readonly Speed[] => [
  ...speeds.filter(({ at }) => at > now.at - WINDOW_MS),
  now,
];

/** Bytes a second over the last few seconds; nothing while it cannot be said. */
export function rateOf(speeds: readonly Speed[]): number | undefined {
  const [first, last] = [speeds[0], speeds.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < 500) return undefined;
  return ((last.sent - first.sent) / (last.at - first.at)) * 1_000;
}

/** Milliseconds until it is there. */
export function timeLeft(
  { size, sent }: Pick<UploadView, 'size' | 'sent'>,
  rate: number | undefined,
): number | undefined {
  return rate === undefined || rate <= 0 ? undefined : ((size - sent) / rate) * 1_000;
}

/** The content's id is the upload's. */
export const uploadIdOf = (url: string): string => url.split('/').at(-1) ?? '';

import { INBOX_HEADER, INTERVAL_HEADER } from '#device-protocol/index.js';

/** Kept by caches, but asked about each time. */
const REVALIDATE = 'public, no-cache';

/** What an answer to a poll says, 200 and 304 alike. @param inbox ETag of the device's own; none for anyone else */
export const pollHeaders = ({
  etag,
  intervalSeconds,
  inbox,
}: {
  etag: string;
  intervalSeconds: number;
  inbox?: string;
}): Record<string, string> => ({
  [INTERVAL_HEADER]: String(intervalSeconds),
  ...(inbox === undefined ? {} : { [INBOX_HEADER]: inbox }),
  'cache-control': REVALIDATE,
  'content-type': 'application/json',
  etag,
});

/** Whether the client has it already, by `If-None-Match` (RFC 9110 §13.1.2): a list, compared weakly. */
export const isHeld = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch === etag || // as nearly every poll has it
  (ifNoneMatch !== undefined &&
    ifNoneMatch
      .slice(0, 2_048)
      .split(',')
      .map((each) => each.trim().replace(/^W\//, ''))
      .some((each) => each === etag || each === '*'));

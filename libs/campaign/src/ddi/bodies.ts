import { createHash } from 'node:crypto';

/** What hawkBit clients get. Links are absolute and ids are text, of decimal digits (swupdate reads no others). */

/** `https://<host>/<tenant>/controller/v1/<controller>`. */
export type Root = string;

export interface Digests {
  sha1: string;
  md5: string;
  sha256: string;
}

export interface Offered {
  actionId: number;
  name: string;
  version: string;
  sizeBytes: number;
  hashes: Digests;
}

const SHORTEST_SECONDS = 5;
const LONGEST_SECONDS = 86_399;
/** Of the interval, so that a fleet that was woken together does not stay together. */
const JITTER = 0.1;

/**
 * `HH:mm:ss`, always under a day: an ISO-8601 duration, hawkBit's form for more, is malformed to its older clients.
 * @param random 0 to 1
 */
export function sleepOf(seconds: number, random: number): string {
  const spread = Math.round(seconds * (1 + JITTER * (2 * random - 1)));
  const capped = Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, spread));
  return [capped / 3_600, (capped / 60) % 60, capped % 60].map((n) => String(Math.floor(n)).padStart(2, '0')).join(':');
}

export interface Links {
  /** At most one of these three. */
  deploymentBase?: number;
  cancelAction?: number;
  confirmationBase?: number;
  installedBase?: number;
  configData: boolean;
}

export function baseBody(root: Root, sleep: string, links: Links): object {
  const { deploymentBase, cancelAction, confirmationBase, installedBase, configData } = links;
  const at = (name: string, id: number | undefined, query = '') =>
    id === undefined ? {} : { [name]: { href: `${root}/${name}/${id}${query}` } };
  const all = {
    ...at('deploymentBase', deploymentBase, `?c=${changeOf(deploymentBase)}`),
    ...at('cancelAction', cancelAction),
    ...at('confirmationBase', confirmationBase, `?c=${changeOf(confirmationBase)}`),
    ...at('installedBase', installedBase),
    ...(configData ? { configData: { href: `${root}/configData` } } : {}),
  };
  return { config: { polling: { sleep } }, ...(Object.keys(all).length === 0 ? {} : { _links: all }) };
}

/** Makes an ETag of what stands behind it. Here that never changes: an offer is forced, and outside its window there is none. */
const changeOf = (actionId = 0): number => createHash('sha256').update(`forced ${actionId}`).digest().readInt32BE();

export interface History {
  status: string;
  messages: string[];
}

/** @param history of a client that asks for it */
export const deploymentBody = (root: Root, offered: Offered, history?: History): object => ({
  id: String(offered.actionId),
  deployment: { download: 'forced', update: 'forced', chunks: [chunkOf(root, offered)] },
  ...(history === undefined ? {} : { actionHistory: history }),
});

export const confirmationBody = (root: Root, offered: Offered, history?: History): object => ({
  id: String(offered.actionId),
  confirmation: { download: 'forced', update: 'forced', chunks: [chunkOf(root, offered)] },
  ...(history === undefined ? {} : { actionHistory: history }),
});

export const cancelBody = (actionId: number): object => ({
  id: String(actionId),
  cancelAction: { stopId: String(actionId) },
});

/** One artifact in one chunk: all that rauc-hawkbit-updater takes. */
const chunkOf = (root: Root, offered: Offered): object => ({
  part: 'os',
  version: offered.version,
  name: offered.name,
  artifacts: [artifactOf(root, offered)],
});

export function artifactOf(root: Root, { actionId, name, sizeBytes, hashes }: Offered): object {
  const href = `${root}/softwaremodules/${actionId}/artifacts/${encodeURIComponent(fileOf(name, hashes))}`;
  const links = { download: { href }, md5sum: { href: `${href}${MD5SUM}` } };
  return { filename: name, hashes, size: sizeBytes, _links: links };
}

/** Longer parts of an address are refused before they are read. */
const PART_LENGTH = 90;

/** Behind the address of an artifact, that of its checksum. */
export const MD5SUM = '.MD5SUM';

/** What the address of an artifact ends in: its name, or for a long one its digest with the ending that clients look at. */
export function fileOf(name: string, { sha1 }: Digests): string {
  if (name.endsWith(MD5SUM)) return sha1; // it would be the checksum of another
  if (encodeURIComponent(name).length <= PART_LENGTH) return name;
  return sha1 + (/\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? '');
}

/** `<md5>  <file>`, as md5sum reads it; no end of line. */
export const md5sumOf = ({ name, hashes }: Pick<Offered, 'name' | 'hashes'>): string => `${hashes.md5}  ${name}`;

/** ETag and If-Match are about the sha-1: in quotes in the one, without in the other. */
export const artifactHeaders = (name: string, { sha1 }: Digests, publishedAt: Date): Record<string, string> => ({
  'content-type': 'application/octet-stream',
  'content-disposition': `attachment;filename*=UTF-8''${encodeURIComponent(name)}`,
  'accept-ranges': 'bytes',
  etag: `"${sha1}"`,
  'last-modified': publishedAt.toUTCString(),
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-transform',
});

/** hawkBit compares with the sha-1 without quotes, RFC 9110 with them: either will do. */
export function meetsIfMatch(header: string | undefined, { sha1 }: Digests): boolean {
  if (header === undefined || header.trim() === '*') return true;
  return header.split(',').some((each) => [sha1, `"${sha1}"`].includes(each.trim()));
}

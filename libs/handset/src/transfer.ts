import { GRANT_SCHEME } from '#device-protocol/index.js';
import { type Clock } from '#runtime/index.js';
import { TargetCheck, type TargetFile, TufError } from '#tuf/index.js';
import { refuseFailure } from './device-api.js';
import { HandsetError, hasCode } from './errors.js';
import { type HttpAnswer, type Transport } from './ports.js';
import { hasFields, parseJson, type Store, writeJson } from './store.js';

/** What is to be fetched, and what signed metadata says of it. */
export interface Download {
  contentId: string;
  target: Pick<TargetFile, 'path' | 'length' | 'hashes'>;
  /** Asks for a grant: at first, and again when the server does not take the old one any more. */
  grant(): Promise<{ grant: string; url: string }>;
  /** The body begins at `fromByte`; more than 0 is a resumption. */
  onStart(fromByte: number): void;
  onProgress(receivedBytes: number): void;
}

export interface TransferPorts {
  transport: Transport;
  store: Store;
  clock: Clock;
}

/** Beside a partial file: whose bytes they are. A part of another version is never continued. */
interface Sidecar {
  etag: string;
  length: number;
  hashes: TargetFile['hashes'];
}

const partOf = (contentId: string): string => `partial/${contentId}`;
const sidecarOf = (contentId: string): string => `partial/${contentId}.json`;
export const contentFile = (contentId: string): string => `contents/${contentId}`;

/** 1 KiB/s at the least, so this bounds any transfer; what is missing then is fetched by a later one. */
const deadlineFor = (length: number): number => Math.min(60_000 + length, 6 * 3_600_000);

/**
 * Fetches a content into `contents/<id>` and returns that name. Bytes go to a partial file with a sidecar; both survive
 * `kill -9`, and the next call goes on from there with Range and If-Range. What arrives is held against length and
 * digests of the signed metadata while it streams; nothing gets its final name before.
 * @throws HandsetError `transfer.digest`, `transfer.length` (the part is dropped); `transport.*`, `server.*` (it is kept)
 */
export async function transfer(download: Download, ports: TransferPorts): Promise<string> {
  const { store } = ports;
  const { contentId, target } = download;
  if (await isComplete(download, store)) return contentFile(contentId); // killed between the rename and what follows
  try {
    const part = await openPart(download, store);
    if (part.received < target.length || target.length === 0) await fetchRest(download, ports, part);
    part.check.end();
  } catch (error) {
    const isTooLong = hasCode(error, 'transport.too-large');
    if (!(error instanceof TufError) && !isTooLong) throw error;
    drop(store, contentId);
    const isLength = isTooLong || error.code === 'tuf.length-mismatch';
    throw new HandsetError(isLength ? 'transfer.length' : 'transfer.digest', { contentId });
  }
  syncFile(store, partOf(contentId));
  store.rename(partOf(contentId), contentFile(contentId));
  store.remove(sidecarOf(contentId));
  return contentFile(contentId);
}

/** Forgets what was fetched of a content so far. */
export function drop(store: Store, contentId: string): void {
  store.remove(partOf(contentId));
  store.remove(sidecarOf(contentId));
}

async function isComplete({ contentId, target }: Download, store: Store): Promise<boolean> {
  if (store.sizeOf(contentFile(contentId)) !== target.length) return false;
  const check = new TargetCheck(target);
  try {
    await hashFile(store, contentFile(contentId), check);
    check.end();
    return true;
  } catch (error) {
    if (error instanceof TufError) return false;
    throw error;
  }
}

async function hashFile(store: Store, name: string, check: TargetCheck): Promise<void> {
  for await (const chunk of store.chunks(name)) check.update(chunk);
}

interface Part {
  received: number;
  etag: string | undefined;
  check: TargetCheck;
}

/** What is there already, hashed again: the digest's inner state is not worth keeping on disk. */
async function openPart({ contentId, target }: Download, store: Store): Promise<Part> {
  const sidecar = parseJson(store.read(sidecarOf(contentId)));
  const size = store.sizeOf(partOf(contentId)) ?? 0;
  const check = new TargetCheck(target);
  if (!isSidecarOf(sidecar, target) || size > target.length) {
    drop(store, contentId);
    return { received: 0, etag: undefined, check };
  }
  if (size > 0) await hashFile(store, partOf(contentId), check);
  return { received: size, etag: sidecar.etag, check };
}

const isSidecarOf = (value: unknown, { length, hashes }: Download['target']): value is Sidecar =>
  hasFields(value, 'length', 'hashes') &&
  value.length === length &&
  JSON.stringify(value.hashes) === JSON.stringify(hashes);

async function fetchRest(download: Download, ports: TransferPorts, part: Part): Promise<void> {
  const answer = await askForRest(download, ports, part);
  const { target, contentId } = download;
  const { store } = ports;
  if (answer.status === 200) Object.assign(part, { received: 0, check: new TargetCheck(target) });
  else checkContentRange(answer, part, target.length);
  const etag = strongEtag(answer);
  if (etag === undefined) store.remove(sidecarOf(contentId));
  else writeJson(store, sidecarOf(contentId), { etag, length: target.length, hashes: target.hashes });
  const file = store.appendTo(partOf(contentId), part.received);
  try {
    download.onStart(part.received);
    for await (const chunk of answer.body) {
      part.check.update(chunk);
      file.write(chunk);
      part.received += chunk.length;
      download.onProgress(part.received);
    }
  } finally {
    file.sync();
    file.close();
  }
}

/** At most: an expired grant is replaced once, and a range that cannot be satisfied becomes a fresh start once. */
async function askForRest(
  download: Download,
  { transport, clock, store }: TransferPorts,
  part: Part,
): Promise<HttpAnswer> {
  const { contentId, target } = download;
  for (let attempt = 1; ; attempt++) {
    const { grant, url } = await download.grant();
    const canResume = part.received > 0 && part.etag !== undefined;
    const range: Record<string, string> = canResume ? { range: `bytes=${part.received}-`, 'if-range': part.etag! } : {};
    const headers = { authorization: `${GRANT_SCHEME} ${grant}`, ...range };
    const limits = { maxBytes: target.length, deadlineMs: deadlineFor(target.length) };
    const answer = await transport.send({ method: 'GET', url, headers, ...limits });
    if (answer.status === 200 || (answer.status === 206 && canResume)) return answer;
    const mayTryAgain = attempt < 3;
    if (answer.status === 416 && mayTryAgain) {
      answer.discard();
      drop(store, contentId);
      Object.assign(part, { received: 0, etag: undefined, check: new TargetCheck(target) });
    } else if ((answer.status === 401 || answer.status === 403) && mayTryAgain) answer.discard();
    else await refuseFailure(answer, clock).then(() => refuseStatus(answer, contentId));
  }
}

function refuseStatus(answer: HttpAnswer, contentId: string): never {
  answer.discard();
  throw new HandsetError('server.malformed', { contentId, status: answer.status });
}

/** A 206 continues exactly where the part ends, or it is not used. @see RFC 9110 §14.4 */
function checkContentRange(answer: HttpAnswer, { received }: Part, length: number): void {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers['content-range'] ?? '');
  if (match !== null && Number(match[1]) === received && Number(match[3]) === length) return;
  answer.discard();
  throw new HandsetError('server.malformed', { header: 'content-range' });
}

/** Only a strong validator says that the bytes are the same (RFC 9110 §13.1.5). */
function strongEtag({ headers }: HttpAnswer): string | undefined {
  return headers.etag?.startsWith('"') === true ? headers.etag : undefined;
}

function syncFile(store: Store, name: string): void {
  const file = store.appendTo(name);
  file.sync();
  file.close();
}

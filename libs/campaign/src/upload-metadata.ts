import { refusal } from './errors.js';

export interface UploadLabel {
  /** What the client calls the file: a label for people, never a path. */
  fileName: string | null;
  /** Hex, as announced. */
  sha256: string | null;
}

const NAME_BYTES = 255;

/**
 * Reads `Upload-Metadata` (tus 1.0 §3.5: `key base64,key base64`). Keys that we do not know are left alone.
 * @throws CampaignError `upload.name` (empty, over 255 bytes, or with control characters), `upload.digest` (no sha-256)
 */
export function readUploadMetadata(header: string | undefined): UploadLabel {
  const fields = new Map((header ?? '').split(',').map((pair) => readPair(pair.trim())));
  const fileName = fields.get('filename') ?? null;
  const sha256 = fields.get('sha256')?.toLowerCase() ?? null;
  if (fileName !== null) checkName(fileName, '/upload-metadata/filename');
  if (sha256 !== null && !/^[0-9a-f]{64}$/.test(sha256))
    throw refusal('upload.digest', '/upload-metadata/sha256', 'sha256 is 64 hex digits');
  return { fileName, sha256 };
}

function readPair(pair: string): [key: string, value: string] {
  const [key = '', value = ''] = pair.split(' ');
  return [key, Buffer.from(value, 'base64').toString('utf8')];
}

/** A name is shown and stored, so it has a bound and nothing that acts on a terminal. `../` is as good as any other. */
export function checkName(name: string, pointer: string): void {
  if (name === '' || Buffer.byteLength(name) > NAME_BYTES)
    throw refusal('upload.name', pointer, `1 to ${NAME_BYTES} bytes of UTF-8`);
  if (/[\p{Cc}\p{Cs}\uFFFD]/u.test(name)) throw refusal('upload.name', pointer, 'no control characters');
}

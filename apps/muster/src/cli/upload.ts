import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.js';
import type { Context } from './command.js';
import { CliError, EXIT, usage } from './exit-codes.js';

export interface Uploaded {
  uploadId: string;
  sizeBytes: number;
  sha256: string;
}

const PART_BYTES = 4 * 1024 * 1024;
const ATTEMPTS = 5;
const TUS = { 'tus-resumable': '1.0.0' };

/**
 * Uploads a file of any size by tus 1.0, part by part. Interrupted, it goes on where it stopped when called again with
 * the same file: the upload's address is kept by digest.
 * @see https://tus.io/protocols/resumable-upload (core protocol and creation)
 */
export async function upload(file: string, { api, out, env, signal }: Context): Promise<Uploaded> {
  const sizeBytes = sizeOf(file);
  const sha256 = await digestOf(file);
  const memory = new UploadMemory(env, `${api.options.server} ${sha256}`);
  const location = (await resumable(api, memory.location)) ?? (await create(api, file, sizeBytes, sha256));
  memory.keep(location);
  const bar = out.progress(path.basename(file), sizeBytes);
  try {
    await send(api, { file, location, sizeBytes, signal }, (offset) => bar.update(offset));
  } finally {
    bar.stop();
  }
  memory.forget();
  const uploadId = location.split('/').at(-1) ?? '';
  return { uploadId, sizeBytes, sha256 };
}

function sizeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() !== true) throw usage(`${file} is not a file`);
  return found.size;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function create(api: Api, file: string, sizeBytes: number, sha256: string): Promise<string> {
  const encoded = (text: string) => Buffer.from(text, 'utf8').toString('base64');
  const metadata = `filename ${encoded(path.basename(file))},sha256 ${encoded(sha256)}`;
  const headers = { ...TUS, 'upload-length': String(sizeBytes), 'upload-metadata': metadata };
  const response = await api.raw('POST', '/v1/uploads', { headers });
  const location = response.headers.get('location');
  if (location === null) throw new CliError(EXIT.failed, 'the server did not say where the upload goes');
  return location;
}

/** The upload of an earlier run, if the server still has it. */
async function resumable(api: Api, location: string | undefined): Promise<string | undefined> {
  if (location === undefined) return undefined;
  try {
    await offsetOf(api, location);
    return location;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.notFound) return undefined;
    throw error;
  }
}

async function offsetOf(api: Api, location: string): Promise<number> {
  const response = await api.raw('HEAD', location, { headers: TUS });
  return Number(response.headers.get('upload-offset'));
}

interface Sending {
  file: string;
  location: string;
  sizeBytes: number;
  signal: AbortSignal;
}

/** The server's offset is the truth: after any failure it is asked again. */
async function send(
  api: Api,
  { file, location, sizeBytes, signal }: Sending,
  onProgress: (offset: number) => void,
): Promise<void> {
  const handle = await open(file);
  const part = Buffer.alloc(Math.min(PART_BYTES, sizeBytes));
  try {
    let failures = 0;
    for (let offset = await offsetOf(api, location); offset < sizeBytes; onProgress(offset)) {
      const { bytesRead } = await handle.read(part, 0, part.length, offset);
      if (bytesRead === 0) throw usage(`${file} became shorter while it was sent`);
      try {
        const headers = { ...TUS, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' };
        const response = await api.raw('PATCH', location, { headers, bytes: part.subarray(0, bytesRead) });
        offset = Number(response.headers.get('upload-offset'));
        failures = 0;
      } catch (error) {
        if (signal.aborted || (error instanceof CliError && error.exitCode !== EXIT.failed) || ++failures >= ATTEMPTS)
          throw error;
        await sleep(500 * 2 ** failures, undefined, { signal });
        offset = await offsetOf(api, location);
      }
    }
  } finally {
    await handle.close();
  }
}

/** Addresses of unfinished uploads, `$XDG_STATE_HOME/muster/uploads.json`. */
class UploadMemory {
  private readonly file: string;

  constructor(
    env: NodeJS.ProcessEnv,
    private readonly key: string,
  ) {
    const state = env.XDG_STATE_HOME ?? path.join(env.HOME ?? homedir(), '.local', 'state');
    this.file = path.join(state, 'muster', 'uploads.json');
  }

  get location(): string | undefined {
    return this.read()[this.key];
  }

  keep(location: string): void {
    this.write({ ...this.read(), [this.key]: location });
  }

  forget(): void {
    const { [this.key]: _, ...others } = this.read();
    this.write(others);
  }

  private read(): Record<string, string> {
    if (!existsSync(this.file)) return {};
    try {
      return JSON.parse(readFileSync(this.file, 'utf8')) as Record<string, string>;
    } catch {
      return {}; // worth no more than sending the file anew
    }
  }

  private write(known: Record<string, string>): void {
    if (Object.keys(known).length === 0) return rmSync(this.file, { force: true });
    mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o700 });
    writeFileSync(this.file, JSON.stringify(known), { mode: 0o600 });
  }
}

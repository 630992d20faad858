import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Api } from './api.js';
import type { Context } from './command.js';
import { CliError, EXIT } from './exit-codes.js';
import { Output } from './output.js';
import { upload } from './upload.js';

/** As much of tus as an upload needs, in memory; `cutAfter` drops the connection once so many bytes of a part have come. */
class TusServer {
  received = Buffer.alloc(0);
  creations = 0;
  metadata = '';
  cutAfter: number | undefined;
  private server!: Server;

  async start(): Promise<string> {
    this.server = createServer((request, response) => void this.answer(request, response));
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'POST') {
      this.creations += 1;
      this.received = Buffer.alloc(0);
      this.metadata = String(request.headers['upload-metadata']);
      response.writeHead(201, { location: '/v1/uploads/u1' }).end();
      return;
    }
    const known = this.creations > 0 && request.url === '/v1/uploads/u1';
    if (request.method === 'HEAD') {
      response.writeHead(known ? 200 : 404, { 'upload-offset': String(this.received.length) }).end();
      return;
    }
    for await (const chunk of request as AsyncIterable<Buffer>) {
      this.received = Buffer.concat([this.received, chunk]);
      if (this.cutAfter !== undefined && this.received.length >= this.cutAfter) {
        this.cutAfter = undefined;
        request.destroy();
        return;
      }
    }
    response.writeHead(204, { 'upload-offset': String(this.received.length) }).end();
  }
}

let tus: TusServer;
let folder: string;
let context: Context;
const bytes = randomBytes(6 * 1024 * 1024);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const file = () => path.join(folder, 'wallet.bin');

beforeEach(async () => {
  tus = new TusServer();
  folder = mkdtempSync(path.join(tmpdir(), 'muster-upload-'));
  writeFileSync(file(), bytes);
  const { signal } = new AbortController();
  const out = new Output({ json: true, quiet: true, verbose: false, colour: false });
  const env = { HOME: folder, XDG_STATE_HOME: folder };
  context = { api: new Api({ server: await tus.start(), signal }), out, env, signal };
});
afterEach(async () => {
  await tus.stop();
  rmSync(folder, { recursive: true });
});

const arrived = () => createHash('sha256').update(tus.received).digest('hex');

describe('upload', () => {
  it('sends every byte, with name and digest', async () => {
    expect(await upload(file(), context)).toEqual({ uploadId: 'u1', sizeBytes: bytes.length, sha256 });
    expect(arrived()).toBe(sha256);
    expect(tus.metadata).toContain(`sha256 ${Buffer.from(sha256).toString('base64')}`);
  });

  it('goes on at the offset of the server when the connection breaks in mid-part', async () => {
    tus.cutAfter = 5 * 1024 * 1024;
    await upload(file(), context);
    expect([arrived(), tus.creations]).toEqual([sha256, 1]);
  });

  /** Ctrl-C after the first mebibyte. */
  async function interrupted(): Promise<void> {
    tus.cutAfter = 1024 * 1024;
    const abort = new AbortController();
    const running = upload(file(), { ...context, signal: abort.signal });
    setTimeout(() => abort.abort(), 300);
    await expect(running).rejects.toThrow();
    expect(tus.received.length).toBeGreaterThanOrEqual(1024 * 1024);
  }

  it('is resumed by the next run of the same file', async () => {
    await interrupted();
    await upload(file(), context);
    expect([arrived(), tus.creations]).toEqual([sha256, 1]);
  });

  it('begins anew when the server has forgotten it', async () => {
    await interrupted();
    tus.creations = 0;
    await upload(file(), context);
    expect([arrived(), tus.creations]).toEqual([sha256, 1]);
  });

  it('refuses what is no file, by exit code 2', async () => {
    const refusal: unknown = await upload(folder, context).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(CliError);
    expect((refusal as CliError).exitCode).toBe(EXIT.usage);
  });
});

import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';
import { problemOf, problemOfStatus } from '../problem.js';
import { traceOf } from '../trace.js';
import { sendProblem } from './problem.filter.js';

/** What a build of a single-page application writes where an inline style may stand, for the nonce of each answer to be put there. */
export const NONCE_PLACEHOLDER = 'muster-csp-nonce';

const INDEX = 'index.html';
/** Their names hold a digest of what is in them, as Vite makes them: another content is another name. */
const HASHED = /^assets\//;
/** What a page asks for by name, and would not understand as another page. */
const ASSET = /^assets\/|\.(js|css|map|json|svg|png|jpe?g|webp|avif|gif|ico|woff2?|txt|webmanifest|wasm)$/;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.gif': 'image/gif',
  '.ico': 'image/x-icon',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** Compressed beforehand, beside the file, the better one first. */
const CODINGS = [
  { coding: 'br', suffix: '.br' },
  { coding: 'gzip', suffix: '.gz' },
] as const;

interface Variant {
  bytes: Buffer;
  /** Undefined: as it is. */
  coding: string | undefined;
}

interface StaticFile {
  type: string;
  digest: string;
  isHashed: boolean;
  /** In order of preference; the file as it is comes last. */
  variants: readonly Variant[];
}

interface Build {
  changedAtMs: number;
  files: ReadonlyMap<string, StaticFile>;
}

/**
 * A single-page application under a path of its own: its files, and its index for every other path below, which it reads itself.
 * All of it is in memory (some hundred kilobytes), so that no path that is asked for ever names a file; a build that has changed is
 * read again when the index is asked for. While there is none, 503 says how to make it.
 */
export class StaticPages {
  private build: Build | undefined;

  constructor(
    /** Begins and ends with a slash. */
    private readonly base: string,
    private readonly folder: string,
    private readonly howToBuild: string,
  ) {}

  register(fastify: FastifyInstance): void {
    const route = (url: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown) =>
      fastify.route({ method: ['GET', 'HEAD'], url, exposeHeadRoute: false, handler });
    for (const url of ['/', this.base.slice(0, -1)]) route(url, (_, reply) => reply.redirect(this.base, 302));
    route(`${this.base}*`, (request, reply) => this.answer(request, reply));
  }

  private answer(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const asked = (request.params as { '*': string })['*'];
    const isPage = !ASSET.test(asked);
    const files = this.filesNow(isPage);
    const { traceId } = traceOf(request.raw);
    const name = files.has(asked) || !isPage ? asked : INDEX;
    const file = files.get(name);
    if (file !== undefined) return send(request, reply, name, file);
    const missing = new DomainError('console.unavailable', {}, `the console is not built: ${this.howToBuild}`);
    sendProblem(reply, isPage ? problemOf(missing, traceId) : problemOfStatus(404, traceId, 'there is no such file'));
    return reply;
  }

  private filesNow(isPage: boolean): Build['files'] {
    if (this.build !== undefined && !isPage) return this.build.files;
    const changedAtMs = statSync(path.join(this.folder, INDEX), { throwIfNoEntry: false })?.mtimeMs;
    if (changedAtMs === undefined) this.build = undefined;
    else if (this.build?.changedAtMs !== changedAtMs) this.build = { changedAtMs, files: readFiles(this.folder) };
    return this.build?.files ?? new Map<string, StaticFile>();
  }
}

function readFiles(folder: string): Map<string, StaticFile> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = new Map(
    entries.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(folder, file).split(path.sep).join('/'), readFileSync(file)];
    }),
  );
  const files = new Map<string, StaticFile>();
  for (const [name, plain] of bytes) {
    const type = TYPES[path.extname(name)];
    if (type === undefined) continue; // a compressed one, or nothing that a browser would ask for
    const compressed = CODINGS.flatMap(({ coding, suffix }) => {
      const found = bytes.get(`${name}${suffix}`);
      return found === undefined ? [] : [{ bytes: found, coding }];
    });
    files.set(name, {
      type,
      digest: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
      isHashed: HASHED.test(name),
      variants: [...compressed, { bytes: plain, coding: undefined }],
    });
  }
  return files;
}

function send(request: FastifyRequest, reply: FastifyReply, name: string, file: StaticFile): FastifyReply {
  void reply.headers({
    'content-type': file.type,
    'cache-control': file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    'cross-origin-resource-policy': 'same-origin',
  });
  const plain = file.variants.at(-1)?.bytes ?? Buffer.alloc(0);
  if (name.endsWith('.html')) return sendPage(request, reply, plain, file.digest);
  const variant = file.variants.find(({ coding }) => coding === undefined || takes(request, coding));
  const etag = `"${file.digest}${variant?.coding === undefined ? '' : `-${variant.coding}`}"`;
  void reply.headers({ etag, vary: 'accept-encoding' });
  if (matches(request, etag)) return reply.status(304).send();
  if (variant?.coding !== undefined) void reply.header('content-encoding', variant.coding);
  return reply.send(variant?.bytes ?? plain);
}

/**
 * With its policy: nothing from elsewhere, no inline script. A page with inline styles has a nonce in each answer; then there is no
 * 304, because the policy that comes with it would be of another nonce than the body that the browser has kept.
 */
function sendPage(request: FastifyRequest, reply: FastifyReply, bytes: Buffer, digest: string): FastifyReply {
  const hasNonce = bytes.includes(NONCE_PLACEHOLDER);
  const nonce = randomBytes(16).toString('base64');
  void reply.headers({
    'content-security-policy': policyOf(hasNonce ? `'self' 'nonce-${nonce}'` : "'self'"),
    'cross-origin-opener-policy': 'same-origin',
  });
  if (hasNonce) return reply.send(Buffer.from(bytes.toString('utf8').replaceAll(NONCE_PLACEHOLDER, nonce)));
  const etag = `"${digest}"`;
  void reply.header('etag', etag);
  return matches(request, etag) ? reply.status(304).send() : reply.send(bytes);
}

const policyOf = (styles: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src ${styles}`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

/** Named, and not with a weight of nothing (RFC 9110 §12.5.3). */
function takes({ headers }: FastifyRequest, coding: string): boolean {
  const named = String(headers['accept-encoding'] ?? '')
    .split(',')
    .map((each) =>
      each
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/),
    );
  return named.some(([name, weight = 'q=1']) => name === coding && !/^q=0(\.0*)?$/.test(weight));
}

const matches = ({ headers }: FastifyRequest, etag: string): boolean =>
  (headers['if-none-match'] ?? '')
    .split(',')
    .map((each) => each.trim().replace(/^W\//, ''))
    .includes(etag);

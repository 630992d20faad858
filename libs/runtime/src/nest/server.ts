import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type DynamicModule, NotFoundException, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';
import { readJson } from '../json.js';
import type { Log } from '../log.js';
import { HandsetDoor } from './handset-door.js';
import { countRequests } from './http-metrics.js';
import {
  closeListener,
  LISTENER_LIMITS,
  listenOn,
  plainListener,
  present,
  socketsOf,
  tlsListener,
} from './listener.js';
import type { TlsIdentity } from './listener.js';
import { nestLogger } from './nest-logger.js';
import { asProblem, sendProblem } from './problem.filter.js';
import { HANDSET_ROUTES, type RouteSettings, streamsBody, mayBeEmpty } from './route-settings.js';
import { type ShortCut, ShortCuts } from './short-cut.js';
import type { StaticPages } from './static-pages.js';

export type { TlsIdentity } from './listener.js';

export interface ListenOptions {
  /** `tls` is needed when the server was created with `peopleTls`. */
  people: { host: string; port: number; tls?: TlsIdentity };
  handset?: { host: string; port: number; tls: TlsIdentity };
}

export interface MusterServer {
  /** Initialised, routes known, not listening. */
  app: NestFastifyApplication;
  /** Opens the ports and answers their numbers. */
  listen(options: ListenOptions): Promise<{ people: number; handset?: number }>;
  /** Presents another certificate to new connections. */
  renew(identities: { people?: TlsIdentity; handset?: TlsIdentity }): void;
  /** Lets running requests finish, runs the shutdown hooks, closes. */
  close(): Promise<void>;
}

export interface ServerOptions {
  log: Log;
  peopleTls?: boolean;
  /** Polls and enrolments a second that are let in even in a surge. */
  handsetLeastPerSecond?: number;
  /** On the people's port. */
  pages?: StaticPages;
}

const SHUTDOWN_GRACE_MS = 5_000;

/** One Nest application behind two listeners, which see disjoint sets of its routes. */
export async function createServer(
  module: Type | DynamicModule,
  { log, peopleTls = false, handsetLeastPerSecond, pages }: ServerOptions,
): Promise<MusterServer> {
  let dispatch: RequestListener = () => undefined;
  const handler: RequestListener = (request, response) => dispatch(request, response);
  let shortCut: ShortCut = () => false;
  const door = new HandsetDoor(log, handsetLeastPerSecond);
  const behindDoor: RequestListener = (request, response) => {
    if (!isTaken(shortCut, log, request, response)) dispatch(request, response);
  };
  const handset = tlsListener(door.before(behindDoor), true);
  const people = peopleTls ? tlsListener(handler, false) : plainListener(handler);
  const serverFactory = (routes: RequestListener): Server => {
    dispatch = routes;
    return people;
  };
  const adapter = new FastifyAdapter({
    bodyLimit: LISTENER_LIMITS.bodyBytes,
    serverFactory,
    clientErrorHandler: () => undefined, // the listeners do it, both alike
    // An address that cannot be decoded or is too long is refused before there is a route, hence before Nest.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, asProblem(error, request)),
  });
  equip(adapter.getInstance<FastifyInstance>(), socketsOf(handset));
  pages?.register(adapter.getInstance<FastifyInstance>());
  // Runs after Nest's `onModuleDestroy`, which ends live streams, and before its shutdown hooks, which close the pools.
  adapter.getInstance<FastifyInstance>().addHook('preClose', async () => {
    door.close();
    shortCut = () => false; // Fastify refuses from now on
    await Promise.all([people, handset].map((server) => closeListener(server, SHUTDOWN_GRACE_MS)));
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: nestLogger(log),
    abortOnError: false,
    bodyParser: false, // ours below; Nest's would also take forms
  });
  await initialise(app, log);
  const shortCuts = app.get(ShortCuts);
  shortCut = (request, response) => shortCuts.take(request, response);

  const renew: MusterServer['renew'] = (identities) => {
    if (identities.handset !== undefined) present(handset, identities.handset);
    if (identities.people !== undefined && peopleTls) present(people as HttpsServer, identities.people);
  };
  return {
    app,
    renew,
    listen: async (options) => {
      renew({ people: options.people.tls, handset: options.handset?.tls });
      const port = await listenOn(people, options.people.host, options.people.port);
      if (options.handset === undefined) return { people: port };
      return { people: port, handset: await listenOn(handset, options.handset.host, options.handset.port) };
    },
    close: () => app.close(),
  };
}

/** A throw would end the process here. What a short cut fails at is the ordinary route's; half an answer is nobody's. */
function isTaken(shortCut: ShortCut, log: Log, request: IncomingMessage, response: ServerResponse): boolean {
  try {
    return shortCut(request, response);
  } catch (err) {
    log.error('short-cut.failed', { err });
    if (!response.headersSent) return false;
    response.destroy();
    return true;
  }
}

/** What some modules have begun when another fails goes on for ever else, and the process never ends. */
async function initialise(app: NestFastifyApplication, log: Log): Promise<void> {
  try {
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
  } catch (error) {
    await app.close().catch((err: unknown) => log.warn('server.not-closed', { err })); // why it did not start says more
    throw error;
  }
}

function equip(fastify: FastifyInstance, handsetSockets: WeakSet<Socket>): void {
  fastify.addHook('onRoute', (route) => {
    const { bodyLimit } = (route.config ?? {}) as RouteSettings;
    if (bodyLimit !== undefined) route.bodyLimit = bodyLimit;
  });
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) =>
      body.length === 0 && mayBeEmpty(request) ? undefined : bodyOf(body),
  );
  fastify.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  // tus sends its bytes as this type; the route that reads them is marked @StreamsBody.
  fastify.addContentTypeParser('application/offset+octet-stream', (_request, _payload, done) => done(null));
  fastify.addHook('onRequest', (request, _reply, done) => done(refusalOf(request, handsetSockets)));
  fastify.addHook('onRequest', (request, _reply, done) => {
    guardBody(request);
    done();
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (!handsetSockets.has(request.raw.socket)) reply.headers(securingHeaders(request, reply.getHeaders()));
    done(null, payload);
  });
  countRequests(fastify, (request) => (handsetSockets.has(request.raw.socket) ? 'handset' : 'people'));
}

/** No route takes null, and behind the parser it would look like a body that was left out. */
function bodyOf(bytes: Uint8Array): unknown {
  const value = readJson(bytes);
  if (value !== null) return value;
  throw new DomainError('validation.failed', {}, 'null is no body', [{ pointer: '', message: 'null is no body' }]);
}

/** What is refused before anything is read: a route of the other port, U+0000, a body that would have to be inflated. */
function refusalOf(request: FastifyRequest, handsetSockets: WeakSet<Socket>): Error | undefined {
  // The route that the router found, not the path as sent, which may spell it in other ways (`/%64/v1/inbox`).
  const route = request.routeOptions.url;
  if (route !== undefined && HANDSET_ROUTES.test(route) !== handsetSockets.has(request.raw.socket))
    return new NotFoundException('there is no such route on this port');
  // Postgres can neither hold it nor look for it.
  if (/%00/.test(request.url)) return new DomainError('request.malformed', {}, 'an address without U+0000');
  const coding = request.headers['content-encoding'];
  if (coding === undefined || coding === 'identity') return undefined;
  return new DomainError('request.media-type', {}, 'bodies are taken uncompressed only', [
    { pointer: '/content-encoding', message: 'send the body as it is' },
  ]);
}

/** Cuts a request whose body is late: an ordinary one as a whole, a streamed one when it makes no progress. */
function guardBody(request: FastifyRequest): void {
  const { raw } = request;
  if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return;
  const cut = setTimeout(() => raw.destroy(), LISTENER_LIMITS.bodyMs);
  cut.unref();
  if (streamsBody(request)) {
    const { socket } = raw;
    let seen = socket.bytesRead;
    const look = setInterval(() => {
      if (socket.bytesRead !== seen) cut.refresh();
      seen = socket.bytesRead;
    }, 1_000);
    look.unref();
    raw.once('close', () => clearInterval(look));
  }
  raw.once('end', () => clearTimeout(cut)).once('close', () => clearTimeout(cut));
}

/** For browsers: answers are data, never a page, a frame or something to sniff; a route that differs sets its own. */
function securingHeaders(request: FastifyRequest, set: Record<string, unknown>): Record<string, string> {
  const headers: Record<string, string> = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    ...(request.protocol === 'https' ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
  return Object.fromEntries(Object.entries(headers).filter(([name]) => set[name] === undefined));
}

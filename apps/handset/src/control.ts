import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileStore, HandsetError, isRefusal } from '#handset/index.js';
import { DomainError, type FieldError, newId } from '#runtime/index.js';
import { takeLock } from './folder-lock.js';

/** What a local command asks of the running daemon. One JSON line each way. */
export type ControlRequest =
  | { command: 'event'; on: string; data: Readonly<Record<string, unknown>> }
  | { command: 'poll' }
  | { command: 'status' }
  | { command: 'explain'; of?: string }
  | { command: 'attributes' };

type Answer =
  | { ok: true; value: unknown }
  | { ok: false; code: string; message: string; fields: readonly FieldError[] };

const REQUEST_BYTES = 65_536;
const ANSWER_BYTES = 16 * 1024 * 1024;

type Handler = (request: ControlRequest) => Promise<unknown>;

/** The lock of a folder, and the place where local commands come in. Until it is told how to answer, it says busy. */
export interface Control {
  answerBy(handle: Handler): void;
  release(): void;
}

/**
 * Takes a folder: two agents would write over each other. What a killed agent left is taken over, by one.
 * @throws HandsetError `store.locked`
 */
export async function takeFolder(path: string): Promise<Control> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unlock = await takeLock(path);
  if (unlock === undefined) throw locked(TAKEN);
  try {
    return await listenAt(path, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function listenAt(path: string, unlock: () => void): Promise<Control> {
  rmSync(path, { force: true }); // left by a killed agent: who holds the lock is alone here
  let handle: Handler = () => Promise.reject(locked('another command is running on this folder'));
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy()); // the other side left; nobody is there to be told
    void readLine(socket, REQUEST_BYTES)
      .then((line) => answerTo(line, handle))
      .then((answer) => socket.end(`${JSON.stringify(answer, wideIntegers)}\n`));
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(path, done);
  });
  chmodSync(path, 0o600);
  const release = () => {
    server.close(); // takes its socket with it
    unlock();
  };
  return { answerBy: (handler) => (handle = handler), release };
}

const TAKEN = 'an agent is running on this folder';
const locked = (message: string): HandsetError => new HandsetError('store.locked', {}, message);

/** Integers of attributes are 64-bit: in JSON they are decimal strings. */
export const wideIntegers = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

const answers = (path: string): Promise<boolean> =>
  new Promise((done) => {
    const probe = connect(path, () => done((probe.destroy(), true)));
    probe.on('error', () => done(false));
  });

async function answerTo(line: string, handle: Handler): Promise<Answer> {
  try {
    const request: unknown = JSON.parse(line);
    if (!isRequest(request)) throw new HandsetError('event.malformed', {}, 'not a command of the agent');
    return { ok: true, value: (await handle(request)) ?? null };
  } catch (error) {
    if (isRefusal(error)) return { ok: false, code: error.code, message: error.message, fields: error.fields };
    return {
      ok: false,
      code: 'event.malformed',
      message: error instanceof Error ? error.message : 'failed',
      fields: [],
    };
  }
}

const COMMANDS: readonly unknown[] = ['event', 'poll', 'status', 'explain', 'attributes'];
const isRequest = (value: unknown): value is ControlRequest =>
  typeof value === 'object' && value !== null && 'command' in value && COMMANDS.includes(value.command);

function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((done) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) done(text.slice(0, text.indexOf('\n')));
      else if (text.length > maxBytes) done('');
    });
    socket.on('end', () => done(text));
    socket.on('close', () => done(text));
  });
}

/**
 * Asks the running daemon.
 * @returns undefined when none runs
 * @throws DomainError with the daemon's refusal
 */
export async function askDaemon(path: string, request: ControlRequest): Promise<{ value: unknown } | undefined> {
  if (!existsSync(path) || statSync(path).uid !== process.getuid?.() || !(await answers(path))) return undefined;
  const socket = connect(path);
  socket.on('error', () => socket.destroy()); // seen as an empty answer below
  socket.write(`${JSON.stringify(request)}\n`);
  const line = await readLine(socket, ANSWER_BYTES);
  socket.destroy();
  if (line === '') throw locked('the agent ended before it answered');
  const answer = JSON.parse(line) as Answer; // by our own daemon
  if (!answer.ok) throw new DomainError(answer.code, {}, answer.message, answer.fields);
  return { value: answer.value };
}

const spoolOf = (folder: string): string => join(resolve(folder), 'spool');

/** Leaves an event for the daemon's next start, durably. Ids sort by time. */
export function spoolEvent(folder: string, event: { on: string; data: Readonly<Record<string, unknown>> }): void {
  fileStore(resolve(folder)).write(`spool/${newId()}.json`, Buffer.from(JSON.stringify(event)));
}

/** Takes the spooled events, oldest first. A file is gone before its event is acted on: an event is a hint, not a fact. */
export function takeSpooled(folder: string): { on: string; data: Readonly<Record<string, unknown>> }[] {
  mkdirSync(spoolOf(folder), { recursive: true, mode: 0o700 });
  const files = readdirSync(spoolOf(folder)).filter((name) => name.endsWith('.json'));
  return files.sort().flatMap((name) => {
    const text = readFileSync(join(spoolOf(folder), name), 'utf8');
    rmSync(join(spoolOf(folder), name));
    const event: unknown = JSON.parse(text);
    return isEvent(event) ? [event] : [];
  });
}

const isEvent = (value: unknown): value is { on: string; data: Record<string, unknown> } =>
  typeof value === 'object' && value !== null && 'on' in value && 'data' in value && typeof value.on === 'string';

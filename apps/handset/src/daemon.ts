import { resolve } from 'node:path';
import {
  type Agent,
  attributesFromFile,
  commandHooks,
  createAgent,
  fileStore,
  HandsetError,
  type Hooks,
  isRefusal,
} from '#handset/index.js';
import { type Log, newId, processClock } from '#runtime/index.js';
import { openWakeDoor } from './wake-door.js';
import { type ControlRequest, takeFolder, takeSpooled } from './control.js';
import { type SharedOptions, socketPath } from './handset.config.js';

/** The agent of a data folder, wired to this machine: file store, HTTPS, the hooks of the command line. */
export function openAgent(options: SharedOptions, log: Log): Agent {
  const store = fileStore(resolve(options.folder));
  return createAgent({
    store,
    log,
    clock: processClock(),
    hooks: hooksOf(options),
    zone: options.zone,
    exchange: options.exchange,
    gates: {
      minBatteryPercent: Number(options.minBattery),
      meteredLimitBytes: Number(options.meteredLimit),
      reserveBytes: Number(options.reserve),
    },
  });
}

/** Attributes come from the file, and from the collector above it: its values win. */
function hooksOf(options: SharedOptions): Hooks {
  const store = fileStore(resolve(options.folder));
  const writeDescription = (description: unknown): string => {
    const name = `descriptions/${newId()}.json`;
    store.write(name, Buffer.from(JSON.stringify(description)));
    return store.path(name);
  };
  const hooks = commandHooks(options, { timeoutMs: Number(options.hookTimeout) * 1000, writeDescription });
  const { attributes: file } = options;
  if (file === undefined) return hooks;
  const collect = async () => ({ ...attributesFromFile(file), ...((await hooks.collect?.()) as object | undefined) });
  return { ...hooks, collect };
}

/** Does what a local command asks, here or in the daemon. */
export function perform(agent: Agent, request: ControlRequest): Promise<unknown> {
  switch (request.command) {
    case 'event':
      return agent.occur(request.on, request.data).then((fire) => ({ fired: fire ?? null }));
    case 'poll':
      return agent.poll();
    case 'status':
      return Promise.resolve(agent.status());
    case 'explain':
      return agent.explain(request.of);
    case 'attributes':
      return agent.attributes();
  }
}

const SPOOL_LOOK_MS = 1_000;

/** Runs the agent until a signal comes. Local commands reach it by its socket, and by the spool. */
export async function runDaemon(options: SharedOptions, log: Log, signal: AbortSignal): Promise<void> {
  const control = await takeFolder(socketPath(options.folder));
  try {
    const agent = openAgent(options, log);
    control.answerBy((request) => perform(agent, request));
    const door = await wakeDoorOf(agent, options, log);
    const spool = setInterval(() => void takeAll(agent, options.folder, log), SPOOL_LOOK_MS);
    log.info('agent.started', { deviceId: agent.status().deviceId, folder: resolve(options.folder) });
    // With a moved clock a sleep would never see its hour, so tests sleep in short pieces.
    await agent.run({ signal, maxSleepMs: process.env.MUSTER_TEST_CLOCK === undefined ? 60_000 : 200 }).finally(() => {
      clearInterval(spool);
      door?.close();
    });
    await agent.close();
  } finally {
    control.release();
  }
}

/** A push lets a rule fire as any other event does; what it brings is not looked at. */
async function wakeDoorOf(agent: Agent, { wakePort }: SharedOptions, log: Log): Promise<{ close(): void } | undefined> {
  if (wakePort === undefined) return undefined;
  const port = Number(wakePort);
  if (!/^[0-9]{1,5}$/.test(wakePort) || port > 65_535)
    throw new HandsetError('event.malformed', {}, '--wake-port is not a port', [
      { pointer: '/wakePort', message: 'must be 0 to 65535' },
    ]);
  const door = await openWakeDoor(port, () => {
    agent.occur('push', {}).catch((err: unknown) => log.warn('wake.lost', { err }));
  });
  log.info('wake.door', { port: door.port });
  return door;
}

async function takeAll(agent: Agent, folder: string, log: Log): Promise<void> {
  for (const event of takeSpooled(folder))
    try {
      await agent.occur(event.on, event.data);
    } catch (error) {
      log.warn('event.refused', { on: event.on, code: isRefusal(error) ? error.code : 'event.malformed' });
    }
}

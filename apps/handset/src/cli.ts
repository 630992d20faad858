#!/usr/bin/env node
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { enrolHandset, fileStore, HandsetError, isRefusal } from '#handset/index.js';
import { processClock, processLog } from '#runtime/index.js';
import { askDaemon, type ControlRequest, spoolEvent, takeFolder, wideIntegers } from './control.js';
import { openAgent, perform, runDaemon } from './daemon.js';
import { addElementCommand } from './element/element-command.js';
import { addFleetCommand } from './fleet/fleet-command.js';
import { defaultFolder, type SharedOptions, socketPath } from './handset.config.js';
import { tufDownload, tufInit, type TufOptions, tufRefresh } from './tuf-command.js';

const log = processLog('handset');
/** How long a stopped agent may take to end what it is doing. */
const STOP_MS = 2_000;
const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, wideIntegers, 2)}\n`);

const program = new Command('muster-handset')
  .description('The agent of one handset: enrols, polls when its stored rules say so, and takes what fits.')
  .showHelpAfterError()
  .addHelpText('after', '\nExit codes: 0 ok, 1 failed or refused, 2 usage.')
  .exitOverride();

/** Options of the commands that open the agent. */
function onAgent(name: string, summary: string): Command {
  return program
    .command(name)
    .description(summary)
    .addOption(folderOption())
    .option('--attributes <file>', 'JSON or JSON lines: what the handset knows of itself')
    .option('--collect <program>', 'prints attributes as JSON; wins over the file')
    .option('--choose <program>', 'gets what fits as JSON on standard input, prints the content ids to take')
    .option('--may-start <program>', 'consent: exit 0 lets a transfer begin')
    .option('--verify <program>', '<program> <file>: a check of your own')
    .option('--install <program>', '<program> <file> <description.json>; without it the file stays under contents/')
    .option('--process <program>', '<program> <application> <file>')
    .option('--hook-timeout <seconds>', 'for each hook', '300')
    .option('--min-battery <percent>', 'nothing starts below, unless charging', '20')
    .option('--metered-limit <bytes>', 'largest content over a metered network', '0')
    .option('--reserve <bytes>', 'left free beside a content', String(16 * 1024 * 1024))
    .option('--zone <zone>', 'IANA zone of the device')
    .addOption(exchangeOption());
}

const exchangeOption = (): Option =>
  new Option('--exchange <side>', 'where selectors are compared; with server or both the attributes go there')
    .choices(['device', 'server', 'both'])
    .default('device');

const folderOption = (): Option =>
  new Option('--folder <folder>', 'what the handset keeps; MUSTER_HANDSET_DATA').default(defaultFolder(process.env));

program
  .command('enrol <server>')
  .description('Enrol with the line that the operator gave you')
  .requiredOption('--ca <fingerprint>', 'sha-256 of the server CA, hex')
  .requiredOption('--code <code>', 'one-time code')
  .addOption(folderOption())
  .addHelpText('after', '\nExample: muster-handset enrol https://127.0.0.1:8443 --ca 3f…9a --code main.k7…')
  .action(async (server: string, options: { ca: string; code: string; folder: string }) => {
    const enrolment = { server, caFingerprint: options.ca, code: options.code };
    const identity = await enrolHandset(fileStore(resolve(options.folder)), enrolment, { clock: processClock(), log });
    const { tenant, deviceId, deviceNo, channel } = identity;
    print({ tenant, deviceId, deviceNo, channel });
  });

onAgent('run', 'Run the agent until it is stopped')
  .option('--wake-port <port>', 'POST /wake at this port of 127.0.0.1 lets the rules for push fire')
  .action(async (options: SharedOptions) => {
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopSoon(stop));
    await runDaemon(options, log, stop.signal);
  });

/** A transfer under way is not waited for: its part is on the disk, and the next start goes on from there. */
function stopSoon(stop: AbortController): void {
  stop.abort();
  setTimeout(() => process.exit(0), STOP_MS).unref();
}

onAgent('poll', 'Poll once, now, whatever the rules say').action(async (options: SharedOptions) => {
  const outcome = (await ask(options, { command: 'poll' })) as { answer: string };
  print(outcome);
  if (outcome.answer === 'failed') process.exitCode = 1;
});

onAgent('status', 'How the agent is, as JSON').action(async (options: SharedOptions) =>
  print(await ask(options, { command: 'status' })),
);

onAgent(
  'explain [contentOrCampaign]',
  'By campaign: each gate and condition true, false or unknown, what it looked at, and what would have to change',
).action(async (of: string | undefined, options: SharedOptions) =>
  print(await ask(options, { command: 'explain', of })),
);

onAgent('attributes', 'What rules read of this handset, and what the schema refused').action(
  async (options: SharedOptions) => print(await ask(options, { command: 'attributes' })),
);

program
  .command('event <on>')
  .description('Tell the agent that something happened: network, charging, card-changed, boot …')
  .option('--data <json>', 'what is known of it', '{}')
  .addOption(folderOption())
  .addHelpText('after', `\nExample: muster-handset event network --data '{"network":"wifi","metered":false}'`)
  .action(async (on: string, options: { data: string; folder: string }) => {
    const data = objectFrom(options.data);
    const told = await askDaemon(socketPath(options.folder), { command: 'event', on, data }).catch(spoolInstead);
    if (told === undefined) spoolEvent(options.folder, { on, data });
    print(told === undefined ? { spooled: true } : told.value);
  });

/** Another command holds the folder: the next agent takes the event. */
function spoolInstead(error: unknown): undefined {
  if (!isLocked(error)) throw error;
}

function objectFrom(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // refused below, as any other text that is not an object
  }
  throw new HandsetError('event.malformed', {}, '--data is not a JSON object', [
    { pointer: '/data', message: 'is not a JSON object' },
  ]);
}

/** How long a command waits for another one that holds the folder, or for an agent that is just starting. */
const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 200;

async function ask(options: SharedOptions, request: ControlRequest): Promise<unknown> {
  for (const until = Date.now() + PATIENCE_MS; ; await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS)))
    try {
      return await askOnce(options, request);
    } catch (error) {
      if (!isLocked(error) || Date.now() > until) throw error;
    }
}

const isLocked = (error: unknown): boolean => isRefusal(error) && error.code === 'store.locked';

/** The running daemon answers; when none runs, an agent of this process does, and holds the folder meanwhile. */
async function askOnce(options: SharedOptions, request: ControlRequest): Promise<unknown> {
  const path = socketPath(options.folder);
  const answer = await askDaemon(path, request);
  if (answer !== undefined) return answer.value;
  const control = await takeFolder(path);
  try {
    const agent = openAgent(options, log);
    return await perform(agent, request).finally(() => agent.close());
  } finally {
    control.release();
  }
}

addFleetCommand(program);
addElementCommand(program, print);

const tuf = program
  .command('tuf')
  .description('A bare TUF client: init, refresh, download')
  .requiredOption('--metadata-dir <folder>', 'trusted metadata')
  .option('--metadata-url <url>')
  .option('--target-name <path>', 'may be given several times', (name: string, names: string[] = []) => [
    ...names,
    name,
  ])
  .option('--target-base-url <url>')
  .option('--target-dir <folder>');
tuf.command('init <root>').action((root: string) => tufInit(tuf.opts<TufOptions>(), root));
tuf.command('refresh').action(() => tufRefresh(tuf.opts<TufOptions>()));
tuf.command('download').action(() => tufDownload(tuf.opts<TufOptions>()));

// A reader that has enough (`muster-handset status | head`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Says what was refused on standard error, without values. commander has said its own already. */
function exitCodeOf(error: unknown): number {
  if (isRefusal(error)) {
    const { code, message, fields } = error;
    process.stderr.write(`${JSON.stringify({ code, message, ...(fields.length > 0 ? { fields } : {}) })}\n`);
    return 1;
  }
  if (error instanceof Error && 'exitCode' in error && 'code' in error) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

import { Command as Commander, InvalidArgumentError, Option } from 'commander';
import { Api } from './api.js';
import { readSecretFile } from './ask.js';
import type { ArgumentSpec, Command, Context, OptionSpec } from './command.js';
import { type Credentials, readCredentials } from './credentials.js';
import { usage } from './exit-codes.js';
import { Output } from './output.js';

/** Options that every command takes. */
interface GlobalOptions {
  json?: boolean;
  server?: string;
  tokenFile?: string;
  ca?: string;
  quiet?: boolean;
  verbose?: boolean;
  color?: boolean;
  dryRun?: boolean;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** Builds the parser from the declarations. Noun groups come from the names: `campaign start` is `start` below `campaign`. */
export function program(
  commands: readonly Command[],
  nouns: Readonly<Record<string, string>>,
  version: string,
  signal: AbortSignal,
): Commander {
  const root = new Commander('muster')
    .description('Download campaigns to handsets: publish, launch, watch.')
    .version(version, '-V', 'print the version')
    .addHelpText('after', `\n${HELP_FOOTER}`);
  for (const option of globalOptions()) root.addOption(option);
  const groups = new Map<string, Commander>();
  for (const spec of commands) {
    const [noun = '', verb] = spec.name.split(' ');
    const parent = verb === undefined ? root : (groups.get(noun) ?? group(root, noun, nouns[noun] ?? ''));
    if (verb !== undefined) groups.set(noun, parent);
    add({ root, parent }, verb ?? noun, spec, signal);
  }
  return strict(root);
}

const group = (root: Commander, noun: string, summary: string): Commander => root.command(noun).description(summary);

function add(
  { root, parent }: { root: Commander; parent: Commander },
  verb: string,
  spec: Command,
  signal: AbortSignal,
): void {
  const child = parent.command(verb).description(spec.summary);
  const names = Object.keys(spec.args);
  for (const [name, argument] of Object.entries(spec.args)) child.argument(placeOf(name, argument), argument.help);
  for (const [name, option] of Object.entries(spec.options)) child.addOption(optionOf(name, option));
  if (spec.examples.length > 0)
    child.addHelpText('after', `\nExamples:\n${spec.examples.map((each) => `  $ ${each}`).join('\n')}`);
  child.action(async (...given: unknown[]) => {
    const own = given[names.length] as Record<string, unknown>;
    const args = Object.fromEntries(names.map((name, i) => [name, given[i]]));
    const all = root.opts<GlobalOptions>();
    // A command with a trial of its own hears of it, wherever the word stands.
    const tried = all.dryRun === true && Object.hasOwn(spec.options, 'dryRun') ? { dryRun: true } : {};
    await spec.run({ ...args, ...own, ...tried }, contextOf(all, signal));
  });
}

function placeOf(name: string, { optional, isRest }: ArgumentSpec): string {
  if (isRest === true) return `[${name}...]`;
  return optional === true ? `[${name}]` : `<${name}>`;
}

function optionOf(name: string, spec: OptionSpec): Option {
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const long = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (spec.type === 'boolean') return new Option(`${short}--${long}`, spec.help).default(false, 'no');
  const flags = `${short}--${long} <${spec.placeholder ?? (spec.type === 'number' ? 'n' : 'text')}>`;
  const option = new Option(flags, spec.help);
  if (spec.type === 'list') return option.default([], 'none').argParser((value, known: string[]) => [...known, value]);
  if (spec.type === 'number') option.argParser(number);
  if (spec.type === 'string' && spec.choices !== undefined) option.choices(spec.choices);
  if (spec.default !== undefined) option.default(spec.default);
  return option.makeOptionMandatory(spec.required === true);
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('not a number');
  return value;
}

const globalOptions = (): Option[] => [
  new Option('--json', 'answers as JSON, streams as one JSON object a line'),
  new Option('--server <url>', `the server (MUSTER_SERVER; otherwise the one of the login, or ${DEFAULT_SERVER})`),
  new Option('--token-file <file>', 'file with an API token, - for standard input (MUSTER_TOKEN_FILE)'),
  new Option('--ca <file>', "PEM of the server's issuer, when the system does not know it (MUSTER_CA)"),
  new Option('--dry-run', 'have the server check and answer a change, and change nothing'),
  new Option('-q, --quiet', 'no remarks, bars or hints'),
  new Option('-v, --verbose', 'show each request'),
  new Option('--no-color', 'no colours (NO_COLOR)'),
];

/** Flags before environment before the stored login. */
function contextOf(options: GlobalOptions, signal: AbortSignal, env: NodeJS.ProcessEnv = process.env): Context {
  const out = outputOf(options, env);
  const stored = readCredentials(env);
  const server = options.server ?? env.MUSTER_SERVER ?? stored?.server ?? DEFAULT_SERVER;
  if (!URL.canParse(server)) throw usage(`--server ${server} is not a URL`);
  const token = tokenOf(options, server, stored, env);
  const ca = options.ca ?? env.MUSTER_CA ?? stored?.ca;
  const isDry = options.dryRun === true;
  if (isDry) out.note('Dry run: nothing is changed.');
  return { api: new Api({ server, token, ca, isDry, signal, trace: (line) => out.debug(line) }), out, env, signal };
}

function outputOf(
  { json = false, quiet = false, verbose = false, color }: GlobalOptions,
  env: NodeJS.ProcessEnv,
): Output {
  const colour = color !== false && (env.NO_COLOR ?? '') === '' && process.stdout.isTTY;
  return new Output({ json, quiet, verbose, colour });
}

/** A stored token belongs to the server that gave it: another one never sees it. */
function tokenOf(
  options: GlobalOptions,
  server: string,
  stored: Credentials | undefined,
  env: NodeJS.ProcessEnv,
): string | undefined {
  const file = options.tokenFile ?? env.MUSTER_TOKEN_FILE;
  if (file !== undefined) return readSecretFile(file);
  return stored?.server === server ? stored.token : undefined;
}

/** Errors become exceptions, so that one place decides about exit codes. */
function strict(root: Commander): Commander {
  for (const each of [root, ...root.commands, ...root.commands.flatMap(({ commands }) => commands)])
    each
      .exitOverride()
      .showSuggestionAfterError(true)
      .configureHelp({ sortSubcommands: false, showGlobalOptions: true });
  return root;
}

const HELP_FOOTER = `Getting started:
  $ muster login
  $ muster demo

\`muster help exit-codes\` lists what the shell gets. Every command has examples: muster <noun> <verb> --help`;

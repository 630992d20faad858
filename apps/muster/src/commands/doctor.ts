import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT } from '../cli/exit-codes.js';
import { type Check, type Finding, finding } from './finding.js';
import { keys } from './key-findings.js';
import { counters, lag } from './lag-findings.js';
import { installation, peoplePort, server } from './server-findings.js';

const doctor = command({
  name: 'doctor',
  summary: 'Look at this machine and the server for what usually goes wrong',
  examples: ['muster doctor', 'muster doctor --json'],
  run: async (_, context) => {
    const findings = (await Promise.all(CHECKS.map(async (check) => check(context)))).flat();
    const { out } = context;
    const { green, red, yellow } = out.colours;
    const mark = { ok: green('ok'), due: yellow('due'), bad: red('BAD'), unknown: yellow('?') };
    out.table(findings, {
      check: ({ check }) => check,
      state: ({ state }) => (out.json ? state : mark[state]),
      detail: ({ detail }) => detail,
    });
    if (findings.some(({ state }) => state === 'bad')) throw new CliError(EXIT.failed, 'something needs attention');
  },
});

/** The oldest Node that the packages allow (`engines` of package.json). */
const NODE = [20, 19] as const;

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > NODE[0] || (major === NODE[0] && minor >= NODE[1]);
  return finding('node', isNew, `${process.version}, needs ${NODE.join('.')} or newer`);
}

function platform(): Finding {
  const { platform: name, arch } = process;
  if (name === 'win32') return finding('platform', false, 'Windows is not supported directly: run inside WSL2');
  const isWsl = name === 'linux' && /microsoft/i.test(versionOfKernel());
  return finding('platform', name === 'linux' || name === 'darwin', `${name} ${arch}${isWsl ? ' (WSL2)' : ''}`);
}

function versionOfKernel(): string {
  return existsSync('/proc/version') ? readFileSync('/proc/version', 'utf8') : '';
}

/** The data folder of `npm start` in this directory, if there is one. */
function store({ env }: Context): Finding {
  const folder = path.resolve(env.MUSTER_DATA ?? '.muster');
  if (!existsSync(folder)) return { check: 'store', state: 'unknown', detail: `${folder} is not there yet` };
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder);
    return finding('store', true, `${folder} is writable, ${Math.floor((bavail * bsize) / 1_048_576)} MiB left`);
  } catch {
    return finding('store', false, `${folder} is not writable for this account`);
  }
}

const CHECKS: readonly Check[] = [node, platform, store, server, peoplePort, installation, keys, lag, counters];

export const doctorCommands: readonly Command[] = [doctor];

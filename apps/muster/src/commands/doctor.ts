import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT } from '../cli/exit-codes.js';
import { checkHandsetPort, type Installation } from './handset-port.js';

interface Finding {
  check: string;
  /** `due`: good now, and someone should see to it; `unknown`: could not be looked at, which is no fault by itself. */
  state: 'ok' | 'due' | 'bad' | 'unknown';
  detail: string;
}

type Check = (context: Context) => Finding | Finding[] | Promise<Finding[]>;

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

const finding = (check: string, isGood: boolean, detail: string): Finding => ({
  check,
  state: isGood ? 'ok' : 'bad',
  detail,
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
    return finding('store', true, `${folder} is writable`);
  } catch {
    return finding('store', false, `${folder} is not writable for this account`);
  }
}

interface Ready {
  ready: boolean;
  checks: { name: string; ok: boolean; reason?: string }[];
}

/** Reachable, ready, of our version, and of our time: certificates and schedules depend on clocks that agree. */
async function server({ api, signal }: Context): Promise<Finding[]> {
  const { server: url } = api.options;
  const asked = Date.now();
  let response: Response;
  try {
    response = await fetch(new URL('/readyz', url), { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return [
      finding('server', false, `${url} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`),
    ];
  }
  const answered = Date.now();
  const { ready, checks } = (await response.json()) as Ready;
  const date = Date.parse(response.headers.get('date') ?? '');
  const { name, version } = await api.get<{ name: string; version: string }>('/version');
  return [
    finding('server', ready, `${url}, ${name} ${version}`),
    ...checks.map(({ name: check, ok, reason }) => finding(`server: ${check}`, ok, reason ?? 'works')),
    clock(date, asked, answered),
  ];
}

/** `Date` has whole seconds, so two are noise. */
function clock(date: number, asked: number, answered: number): Finding {
  const offset = date < asked - 1_000 ? asked - date : date > answered ? date - answered : 0;
  return finding(
    'clock',
    offset < 30_000,
    offset === 0 ? 'agrees with the server' : `${Math.round(offset / 1000)} s apart from the server`,
  );
}

interface KeyStatus {
  role: string;
  expiresAt: string | null;
  online: boolean;
  due: boolean;
}

/** What is signed online renews itself at half of its life; what is not, a person must renew. */
export function keyFinding(channel: string, { role, expiresAt, online, due }: KeyStatus, now: number): Finding[] {
  if (expiresAt === null) return [];
  const check = `key: ${channel} ${role}`;
  const detail = `signed until ${expiresAt}`;
  if (Date.parse(expiresAt) <= now) return [{ check, state: 'bad', detail }];
  if (online || !due) return [{ check, state: 'ok', detail }];
  return [
    {
      check,
      state: 'due',
      detail: `${detail}, past half of its life: muster keys rotate ${role} --channel ${channel}`,
    },
  ];
}

/** What needs a login: without one it is not known. */
async function keys({ api }: Context): Promise<Finding[]> {
  try {
    const { items: channels } = await api.get<{ items: { channel: string }[] }>('/v1/channels');
    const found = channels.map(async ({ channel }) => {
      const { items } = await api.get<{ items: KeyStatus[] }>(`/v1/keys/${channel}`);
      return items.flatMap((status) => keyFinding(channel, status, Date.now()));
    });
    return (await Promise.all(found)).flat();
  } catch (error) {
    return [{ check: 'keys', state: 'unknown', detail: error instanceof Error ? error.message : String(error) }];
  }
}

async function handsetPort({ api }: Context): Promise<Finding[]> {
  let installation: Installation;
  try {
    installation = await api.get<Installation>('/v1/installation');
  } catch (error) {
    return [
      { check: 'handset port', state: 'unknown', detail: error instanceof Error ? error.message : String(error) },
    ];
  }
  try {
    const { isGood, detail } = await checkHandsetPort(installation);
    return [finding('handset port', isGood, detail)];
  } catch (error) {
    return [finding('handset port', false, `${installation.handsetUrl}: ${String(error)}`)];
  }
}

interface Lag {
  name: string;
  lagEvents: number;
  lagSeconds: number;
  parked: number;
}

/** A read model that is a minute behind, or has put streams aside, tells people something old. */
async function lag({ api }: Context): Promise<Finding[]> {
  try {
    const { items } = await api.get<{ items: Lag[] }>('/v1/projections');
    return items.map(({ name, lagEvents, lagSeconds, parked }) =>
      finding(
        `lag: ${name}`,
        lagSeconds < 60 && parked === 0,
        `${lagEvents} events, ${lagSeconds} s, ${parked} parked`,
      ),
    );
  } catch (error) {
    return [{ check: 'lag', state: 'unknown', detail: error instanceof Error ? error.message : String(error) }];
  }
}

/** Read models, and who follows the log in Kafka, see what the relay has sent; a minute behind is a broker that is away. */
async function relay({ api, signal }: Context): Promise<Finding[]> {
  try {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    return relayFinding(await (await fetch(new URL('/metrics', api.options.server), { signal: timeout })).text());
  } catch (error) {
    return [{ check: 'relay', state: 'unknown', detail: error instanceof Error ? error.message : String(error) }];
  }
}

/** @param metrics  in Prometheus' text format; without a relay, where the log is Postgres alone, nothing is found */
export function relayFinding(metrics: string): Finding[] {
  const valuesOf = (name: string) =>
    [...metrics.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
  const events = valuesOf('muster_relay_lag_events');
  if (events.length === 0) return [];
  const seconds = Math.round(Math.max(...valuesOf('muster_relay_lag_seconds')));
  const detail = `${events.reduce((sum, n) => sum + n, 0)} events that Kafka does not have, the oldest of ${seconds} s`;
  return [finding('relay', seconds < 60, detail)];
}

const CHECKS: readonly Check[] = [node, platform, store, server, handsetPort, keys, lag, relay];

export const doctorCommands: readonly Command[] = [doctor];

import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT, usage } from '../cli/exit-codes.js';
import { funnelLines, type Progress } from '../cli/funnel.js';
import { jsonFile } from '../cli/parse.js';
import { campaignSteps } from './campaign-steps.js';
import { campaign, type Campaign, pathOf } from './one-campaign.js';

const settings = {
  file: { type: 'string', short: 'f', help: 'JSON with settings, - for standard input; options win over it' },
  name: { type: 'string', help: 'what people call it' },
  content: { type: 'list', help: 'content id; repeat for more', placeholder: 'id' },
  channel: { type: 'string', help: 'the audience' },
  selector: { type: 'string', help: "narrows the contents' own selectors: CEL over `device`", placeholder: 'rule' },
  start: { type: 'string', help: 'when it starts', placeholder: 'instant' },
  end: { type: 'string', help: 'when it ends', placeholder: 'instant' },
  waveUpTo: { type: 'number', help: 'buckets in the first wave, of 10,000' },
  holdOut: { type: 'number', help: 'buckets that never get it, of 10,000' },
  priority: { type: 'number', help: 'higher goes first, 0 to 1,000' },
} as const;

interface SettingOptions {
  file: string | undefined;
  content: string[];
  [name: string]: unknown;
}

function settingsFrom({ file, content, ...options }: SettingOptions): object {
  const names = ['name', 'channel', 'selector', 'start', 'end', 'waveUpTo', 'holdOut', 'priority'];
  const given = Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  const contents = content.length > 0 ? { contents: content } : {};
  return { ...(file === undefined ? {} : jsonFile(file)), ...(given as object), ...contents };
}

function print({ out }: Context, found: Campaign): void {
  const { name, channel, contents, selector, status, pause, start, end, waveUpTo, holdOut, priority } = found;
  const state = pause === null ? status : `${status} (${pause})`;
  out.record(found, {
    id: found.campaignId,
    name,
    status: state,
    channel,
    contents: contents.join(', '),
    selector,
    start,
    end,
    'wave up to': waveUpTo,
    'hold out': holdOut,
    priority,
  });
}

const draft = command({
  name: 'campaign draft',
  summary: 'Draft a campaign from options or a file',
  options: settings,
  examples: [
    'muster campaign draft --name "Wallet 2.4" --content 0198c6f2-…',
    'muster campaign draft -f campaign.json',
  ],
  run: async (input, context) => {
    const found = await context.api.post<Campaign>('/v1/campaigns', settingsFrom(input));
    print(context, found);
    context.out.next(`muster campaign schedule ${found.campaignId}`);
  },
});

/** What of a campaign its authors set; the rest is how it stands. */
const SETTINGS = [
  ...['name', 'channel', 'contents', 'mode', 'selector', 'start', 'end', 'windows', 'waveUpTo', 'waves', 'holdOut'],
  ...['salt', 'class', 'priority', 'caps', 'stopRules', 'timeouts', 'conflictGroup'],
];

const edit = command({
  name: 'campaign edit',
  summary: 'Replace the settings of a draft; what is not named stays',
  args: campaign,
  options: settings,
  examples: ['muster campaign edit 0198c6f2-… --wave-up-to 100'],
  run: async ({ campaign: id, ...input }, context) => {
    const { version, ...before } = await context.api.get<Campaign & Record<string, unknown>>(pathOf(id));
    const kept = Object.fromEntries(SETTINGS.map((name) => [name, before[name]]));
    const body = { ...kept, ...settingsFrom(input) };
    const { body: found } = await context.api.call<Campaign>('PUT', pathOf(id), {
      body,
      headers: { 'if-match': `"v${version}"` },
    });
    print(context, found);
  },
});

const list = command({
  name: 'campaign list',
  summary: 'List the campaigns, newest first',
  options: { limit: { type: 'number', help: 'how many at most', default: 50 } },
  examples: ['muster campaign list'],
  run: async ({ limit }, { api, out }) => {
    out.table(await api.list<Campaign>('/v1/campaigns', limit), {
      id: ({ campaignId }) => campaignId,
      name: ({ name }) => name,
      status: ({ status }) => status,
      channel: ({ channel }) => channel,
      start: ({ start }) => start,
      end: ({ end }) => end,
    });
  },
});

const show = command({
  name: 'campaign show',
  summary: 'Show one campaign',
  args: campaign,
  examples: ['muster campaign show 0198c6f2-…'],
  run: async ({ campaign: id }, context) => print(context, await context.api.get<Campaign>(pathOf(id))),
});

const progress = command({
  name: 'campaign progress',
  summary: 'Show how far the devices came, also as of a past instant',
  args: campaign,
  options: { asOf: { type: 'string', help: 'instant or position', placeholder: 'when' } },
  examples: [
    'muster campaign progress 0198c6f2-…',
    'muster campaign progress 0198c6f2-… --as-of 2026-11-24T12:00:00Z --json',
  ],
  run: async ({ campaign: id, asOf }, { api, out }) => {
    const query = asOf === undefined ? '' : `?as_of=${encodeURIComponent(asOf)}`;
    const found = await api.get<Progress>(`${pathOf(id)}/progress${query}`);
    out.result(found, (colours) => funnelLines(found, colours).join('\n'));
  },
});

const watch = command({
  name: 'campaign watch',
  summary: 'Watch the funnel live; with --until, wait for a number of devices',
  args: campaign,
  options: {
    until: { type: 'string', help: 'end when a step has so many devices', placeholder: 'step=n' },
    timeout: { type: 'number', help: 'seconds to wait at most with --until', default: 3_600 },
  },
  examples: [
    'muster campaign watch 0198c6f2-…',
    'muster campaign watch 0198c6f2-… --until installed=100 --timeout 600',
  ],
  run: async ({ campaign: id, until, timeout }, { api, out, signal }) => {
    const goal = until === undefined ? undefined : goalOf(until);
    const screen = out.live();
    const deadline = Date.now() + timeout * 1000;
    let found = await api.get<Progress>(`${pathOf(id)}/progress`);
    const isOver = () => ['completed', 'aborted'].includes(found.status ?? '') || isReached(found, goal);
    while (!signal.aborted && !isOver() && (goal === undefined || Date.now() < deadline)) {
      screen.paint(funnelLines(found, out.colours));
      await sleep(1_000, undefined, { signal }).catch(() => undefined); // Ctrl-C ends the wait, nothing else
      if (!signal.aborted) found = await api.get<Progress>(`${pathOf(id)}/progress`);
    }
    screen.done(funnelLines(found, out.colours));
    if (out.json) out.result(found, () => '');
    if (goal !== undefined && !signal.aborted && !isReached(found, goal))
      throw new CliError(EXIT.notMet, `${goal.step} has ${found.funnel[goal.step]} devices, not ${goal.devices}`);
  },
});

interface Goal {
  step: keyof Progress['funnel'];
  devices: number;
}

function goalOf(text: string): Goal {
  const [, step, devices] = /^(polled|matched|requested|transferred|installed|confirmed)=([0-9]+)$/.exec(text) ?? [];
  if (step === undefined) throw usage(`--until ${text} is not step=n`, 'e.g. --until installed=100');
  return { step: step as Goal['step'], devices: Number(devices) };
}

const isReached = ({ funnel }: Progress, goal: Goal | undefined): boolean =>
  goal !== undefined && funnel[goal.step] >= goal.devices;

export const campaignCommands: readonly Command[] = [
  ...[draft, edit, list, show],
  ...campaignSteps,
  ...[progress, watch],
];

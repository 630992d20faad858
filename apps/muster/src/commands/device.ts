import { readFileSync } from 'node:fs';
import type { Explanation } from '#matching/index.js';
import type { Api } from '../cli/api.js';
import { type Command, command } from '../cli/command.js';
import { attributeValues } from '../cli/parse.js';
import { usage } from '../cli/exit-codes.js';
import { explanationLines } from '../cli/explanation.js';

interface Device {
  id: string;
  deviceNo: number;
  channel: string;
  label: string | null;
  status: string;
  enrolledAt: string;
  expiresAt: string;
}

interface Code {
  id: string;
  code: string;
  label: string | null;
  channel: string;
  expiresAt: string;
}

interface TimelineLine {
  eventAt: string;
  event: string;
  text: string;
  seq: string;
}

const device = { device: { help: 'id of the device' } };
const reason = { type: 'string', help: 'why, for the record', required: true } as const;
const pathOf = (id: string): string => `/v1/devices/${encodeURIComponent(id)}`;

/** What a person pastes on the handset. */
async function enrolLines(api: Api, codes: readonly Code[]): Promise<(Code & { line: string })[]> {
  const { handsetUrl, caFingerprint } = await api.get<{ handsetUrl: string; caFingerprint: string }>(
    '/v1/installation',
  );
  const line = (code: string) => `npx muster-handset enrol ${handsetUrl} --ca ${caFingerprint} --code ${code}`;
  return codes.map((each) => ({ ...each, line: line(each.code) }));
}

const list = command({
  name: 'device list',
  summary: 'List the handsets of your tenant',
  options: { limit: { type: 'number', help: 'how many at most', default: 50 } },
  examples: ['muster device list', 'muster device list --limit 1000 --json'],
  run: async ({ limit }, { api, out }) => {
    out.table(await api.list<Device>('/v1/devices', limit), {
      no: ({ deviceNo }) => deviceNo,
      id: ({ id }) => id,
      label: ({ label }) => label,
      channel: ({ channel }) => channel,
      status: ({ status }) => status,
      until: ({ expiresAt }) => expiresAt,
    });
  },
});

const show = command({
  name: 'device show',
  summary: 'Show one handset',
  args: device,
  examples: ['muster device show 0198c6f2-…'],
  run: async ({ device: id }, { api, out }) => {
    const found = await api.get<Device>(pathOf(id));
    const { deviceNo, label, channel, status, enrolledAt, expiresAt } = found;
    out.record(found, { id: found.id, no: deviceNo, label, channel, status, enrolled: enrolledAt, until: expiresAt });
    out.next(`muster device timeline ${found.id}`);
  },
});

const code = command({
  name: 'device code',
  summary: 'Issue a one-time enrolment code, as a line to paste on the handset',
  options: {
    label: { type: 'string', help: 'what people will call the handset' },
    channel: { type: 'string', help: 'the audience it joins', default: 'main' },
    minutes: { type: 'number', help: 'how long the code is good', default: 15 },
  },
  examples: ['muster device code --label "Test phone"', 'muster device code --channel beta --minutes 60 --json'],
  run: async ({ label, channel, minutes }, { api, out }) => {
    const body = { channel, lifetimeSeconds: Math.round(minutes * 60), ...(label === undefined ? {} : { label }) };
    const [issued] = await enrolLines(api, [await api.post<Code>('/v1/enrolment-codes', body)]);
    out.result(issued, () => issued?.line ?? '');
    out.note(`The code is good once, until ${issued?.expiresAt}.`);
  },
});

const codes = command({
  name: 'device codes',
  summary: 'Issue codes in bulk from a CSV with the columns label and channel',
  args: { file: { help: 'CSV, - for standard input' } },
  options: { hours: { type: 'number', help: 'how long the codes are good', default: 24 } },
  examples: [
    'muster device codes fleet.csv --hours 72 > lines.txt',
    'muster device codes fleet.csv --json | jq -r .line',
  ],
  run: async ({ file, hours }, { api, out }) => {
    const path = `/v1/enrolment-codes/bulk?lifetimeSeconds=${Math.round(hours * 3_600)}`;
    const { body } = await api.call<{ items: Code[] }>('POST', path, {
      text: { type: 'text/csv', content: text(file) },
    });
    for (const each of await enrolLines(api, body.items))
      out.line(each, () => `${each.line}  # ${each.label ?? each.id}`);
  },
});

const revoke = command({
  name: 'device revoke',
  summary: "Revoke a handset's key: refused from the next request on",
  args: device,
  options: { reason },
  examples: ['muster device revoke 0198c6f2-… --reason stolen'],
  run: async ({ device: id, reason: why }, { api, out }) => {
    const found = await api.post<Device>(`${pathOf(id)}/revoke`, { reason: why });
    out.result(found, () => `${id} is ${found.status}.`);
  },
});

const forget = command({
  name: 'device forget',
  summary: 'Erase for ever what is personal about a handset, and revoke it; its facts stay without a name',
  args: device,
  options: { reason },
  examples: ['muster device forget 0198c6f2-… --reason "asked by its owner"'],
  run: async ({ device: id, reason: why }, { api, out }) => {
    const found = await api.post<Device>(`${pathOf(id)}/forget`, { reason: why });
    out.result(found, () => `${id} is ${found.status}.`);
  },
});

const replace = command({
  name: 'device replace',
  summary: 'Issue a code by which a handset comes back with a new key and the same id',
  args: device,
  options: { minutes: { type: 'number', help: 'how long the code is good', default: 15 } },
  examples: ['muster device replace 0198c6f2-…'],
  run: async ({ device: id, minutes }, { api, out }) => {
    const body = { lifetimeSeconds: Math.round(minutes * 60) };
    const [issued] = await enrolLines(api, [await api.post<Code>(`${pathOf(id)}/replace`, body)]);
    out.result(issued, () => issued?.line ?? '');
  },
});

const timeline = command({
  name: 'device timeline',
  summary: 'Show what happened to a handset, in order, also as of a past instant',
  args: device,
  options: {
    asOf: { type: 'string', help: 'instant or position', placeholder: 'when' },
    limit: { type: 'number', help: 'how many lines at most', default: 100 },
  },
  examples: ['muster device timeline 0198c6f2-…', 'muster device timeline 0198c6f2-… --as-of 2026-11-24T12:00:00Z'],
  run: async ({ device: id, asOf, limit }, { api, out }) => {
    const query = asOf === undefined ? '' : `?as_of=${encodeURIComponent(asOf)}`;
    for (const each of await api.list<TimelineLine>(`${pathOf(id)}/timeline${query}`, limit))
      out.line(each, ({ dim }) => `${dim(each.eventAt)}  ${each.event.padEnd(22)} ${each.text}`);
  },
});

const why = command({
  name: 'device why',
  summary:
    'Say why a handset is offered what a campaign brings, or is not: every gate and condition, also as of the past',
  args: device,
  options: {
    campaign: { type: 'string', help: 'id of the campaign', required: true },
    asOf: { type: 'string', help: 'instant or position', placeholder: 'when' },
  },
  examples: [
    'muster device why 0198c6f2-… --campaign 0198c6f3-…',
    'muster device why 0198c6f2-… --campaign 0198c6f3-… --as-of 2026-11-24T12:00:00Z --json',
  ],
  run: async ({ device: id, campaign, asOf }, { api, out }) => {
    const query = new URLSearchParams({ campaign, ...(asOf === undefined ? {} : { as_of: asOf }) });
    const found = await api.get<Explanation>(`${pathOf(id)}/explain?${query.toString()}`);
    out.result(found, (colours) => explanationLines(found, colours));
    if (found.position !== null) out.note(`as of ${found.position}`);
  },
});

interface SourcedValue {
  name: string;
  value: unknown;
  source: string;
  at: string;
}

interface Known {
  attributes: SourcedValue[];
}

const attributes = command({
  name: 'device attributes',
  summary:
    'Show what is known of a handset where the server compares, or keep values of it; an empty value removes one',
  args: {
    ...device,
    values: { help: 'name=value: true, false, numbers, [a,b] for lists, all else text', isRest: true },
  },
  examples: ['muster device attributes 0198c6f2-…', 'muster device attributes 0198c6f2-… tariff=gold oldTariff='],
  run: async ({ device: id, values }, { api, out }) => {
    const url = `${pathOf(id)}/attributes`;
    const changes = Object.entries(attributeValues(values)).map(([name, value]) => [name, value === '' ? null : value]);
    const view =
      changes.length === 0
        ? await api.get<Known>(url)
        : (await api.call<Known>('PUT', url, { body: { attributes: Object.fromEntries(changes) as object } })).body;
    const columns = {
      attribute: ({ name }: SourcedValue) => name,
      value: ({ value }: SourcedValue) => JSON.stringify(value),
      source: ({ source }: SourcedValue) => source,
      since: ({ at }: SourcedValue) => at,
    };
    out.table(view.attributes, columns, view);
  },
});

function text(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usage(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The same under the name that the getting-started texts use. */
const enrolCode: Command = { ...code, name: 'enrol-code', examples: ['muster enrol-code --label "Test phone"'] };

export const deviceCommands: readonly Command[] = [
  list,
  show,
  code,
  codes,
  revoke,
  forget,
  replace,
  timeline,
  why,
  attributes,
  enrolCode,
];

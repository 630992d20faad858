import type { Api } from '../cli/api.js';
import { type Command, command } from '../cli/command.js';
import type { Output } from '../cli/output.js';

interface Controller {
  id: string;
  label: string | null;
  channel: string;
  targetToken: string;
}

/** What a hawkBit client is set to; `url` as swupdate takes it. */
async function settingsOf(api: Api, token: string): Promise<string> {
  const { handsetUrl } = await api.get<{ handsetUrl: string }>('/v1/installation');
  return `url = "${handsetUrl}"; ${token} # trust its CA: curl --insecure ${handsetUrl}/enrol/v1/ca`;
}

const channel = { type: 'string', help: 'the audience it joins', default: 'main' } as const;

const enrol = command({
  name: 'device enrol',
  summary: 'Make a hawkBit client (swupdate, rauc-hawkbit-updater) known, and show its target token',
  args: { controller: { help: 'id by which the client names itself' } },
  options: { label: { type: 'string', help: 'what people will call it' }, channel },
  examples: ['muster device enrol gate-4', 'muster device enrol gate-4 --channel beta --json'],
  run: async ({ controller: controllerId, label, channel: joins }, { api, out }) => {
    const body = { controllerId, channel: joins, ...(label === undefined ? {} : { label }) };
    await show(api, out, await api.post<Controller>('/v1/devices', body), controllerId);
  },
});

const token = command({
  name: 'device target-token',
  summary: "Issue a hawkBit client's new target token; the one before it ends. Brings a revoked one back",
  args: { device: { help: 'id of the device' } },
  examples: ['muster device target-token 0198c6f2-…'],
  run: async ({ device: id }, { api, out }) => {
    const issued = await api.post<Controller>(`/v1/devices/${encodeURIComponent(id)}/target-token`);
    await show(api, out, issued, issued.label ?? id);
  },
});

async function show(api: Api, out: Output, issued: Controller, name: string): Promise<void> {
  const line = await settingsOf(api, `id = "${name}"; targettoken = "${issued.targetToken}";`);
  out.result({ ...issued, line }, () => line);
  out.note('The token is shown this once.');
}

const gateway = command({
  name: 'device gateway',
  summary: 'Issue a gateway token, by which any number of hawkBit clients enrol and speak',
  options: {
    label: { type: 'string', help: 'what people will call it' },
    channel: { ...channel, help: 'the audience that they join' },
    days: { type: 'number', help: 'how long it is good', default: 365 },
  },
  examples: ['muster device gateway --label factory --days 30'],
  run: async ({ label, channel: joins, days }, { api, out }) => {
    const body = { channel: joins, gatewayDays: days, ...(label === undefined ? {} : { label }) };
    const issued = await api.post<{ code: string; expiresAt: string }>('/v1/enrolment-codes', body);
    const line = await settingsOf(api, `gatewaytoken = "${issued.code}";`);
    out.result({ ...issued, line }, () => line);
    out.note(`The token is shown this once, and good until ${issued.expiresAt}.`);
  },
});

/** Devices that speak hawkBit's device API. */
export const hawkbitCommands: readonly Command[] = [enrol, token, gateway];

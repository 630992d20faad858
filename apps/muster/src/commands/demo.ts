import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../cli/api.js';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT } from '../cli/exit-codes.js';
import { funnelLines, type Progress } from '../cli/funnel.js';
import { upload } from '../cli/upload.js';
import type { Child } from '../demo/children.js';
import {
  ATTRIBUTES,
  bringToNetwork,
  CHANNEL,
  DECLINING,
  FITTING,
  HANDSETS,
  KINDS,
  RULES,
  SELECTOR,
  startFleet,
} from '../demo/fleet.js';
import { installationFor } from '../demo/installation.js';

const CONTENT_BYTES = 1024 * 1024;
const LONGEST_MS = 180_000;

const demo = command({
  name: 'demo',
  summary: 'Start 200 real agents, run one campaign, and watch its funnel: about a minute',
  options: { keep: { type: 'boolean', help: 'keep the folder of the demo, to look into' } },
  examples: ['muster demo'],
  run: async ({ keep }, context) => {
    const { out, signal } = context;
    const folder = mkdtempSync(path.join(tmpdir(), 'muster-demo-'));
    const children: Child[] = [];
    try {
      const { api, own } = await installationFor(context, folder);
      if (own !== undefined) children.push(own);
      out.note(
        own === undefined ? `Using ${api.options.server}.` : `Started a server for the demo at ${api.options.server}.`,
      );
      await prepare(api);
      out.note(`Enrolling ${HANDSETS} handsets, each an agent of its own over TLS of its own:`);
      for (const { count, expectation } of KINDS) out.note(`  ${String(count).padStart(3)} ${expectation}`);
      const fleet = await startFleet(api, folder);
      children.push(fleet);
      const campaignId = await launch({ ...context, api }, folder);
      out.note('The handsets come to a network, which wakes those whose stored rule it satisfies:');
      bringToNetwork(fleet);
      const progress = await watch({ ...context, api }, campaignId);
      out.result(
        progress,
        () => `${progress.funnel.installed} of ${HANDSETS} handsets have it: exactly those that fit.`,
      );
      if (own === undefined) out.next(`muster campaign progress ${campaignId}`, 'muster device list');
      else out.note('The server of the demo goes with it; for one that stays: npm start');
    } finally {
      if (signal.aborted) out.note('Stopping the fleet.');
      for (const child of children.reverse()) await child.stop();
      if (keep) out.note(`The folder stays: ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    }
  },
});

/** A channel of its own with the fleet's rules; the schema grows by what the fleet knows. */
async function prepare(api: Api): Promise<void> {
  await api.post('/v1/channels', { channel: CHANNEL }).catch((error: unknown) => {
    if (!(error instanceof CliError && error.exitCode === EXIT.conflict)) throw error; // there since the last demo
  });
  const schema = await api.get<{ version: number; attributes: Record<string, object> }>('/v1/schema');
  if (Object.keys(ATTRIBUTES).some((name) => schema.attributes[name] === undefined)) {
    const body = { version: schema.version + 1, attributes: { ...schema.attributes, ...ATTRIBUTES } };
    await api.call('PUT', '/v1/schema', { body });
  }
  const { version } = await api.get<{ version: number }>(`/v1/rules/${CHANNEL}`);
  await api.call('PUT', `/v1/rules/${CHANNEL}`, { body: { version: version + 1, rules: RULES } });
}

/** @returns the campaign's id */
async function launch(context: Context, folder: string): Promise<string> {
  const { api, out } = context;
  const file = path.join(folder, 'wallet-2.4.bin');
  writeFileSync(file, randomBytes(CONTENT_BYTES));
  const { uploadId, sha256 } = await upload(file, context);
  const description = { name: 'wallet-2.4.bin', version: '2.4.0', mediaType: 'application/octet-stream' };
  const { contentId } = await api.post<{ contentId: string }>('/v1/contents', {
    uploadId,
    sha256,
    description,
    selector: SELECTOR,
  });
  const draft = { name: 'Wallet 2.4', channel: CHANNEL, contents: [contentId] };
  const { campaignId } = await api.post<{ campaignId: string }>('/v1/campaigns', draft);
  await api.change('POST', `/v1/campaigns/${campaignId}`, `/v1/campaigns/${campaignId}/schedule`);
  await published(context, campaignId);
  out.note(`Launched "Wallet 2.4" to handsets where ${SELECTOR}`);
  return campaignId;
}

interface Publications {
  items: { data: { campaigns: string[] } }[];
  position: string;
}

/** Waits until the campaign stands in the signed catalogue. */
async function published({ api, signal }: Context, campaignId: string): Promise<void> {
  const query = 'topic=muster.campaign&type=CataloguePublished&limit=200';
  for (let from = 'start', deadline = Date.now() + LONGEST_MS; Date.now() < deadline; ) {
    const page = await api.get<Publications>(`/v1/events?${query}&from=${encodeURIComponent(from)}`);
    if (page.items.some(({ data }) => data.campaigns.includes(campaignId))) return;
    from = page.position;
    if (page.items.length === 0) await sleep(200, undefined, { signal });
  }
  throw new CliError(EXIT.notMet, 'the catalogue was not published');
}

async function watch({ api, out, signal }: Context, campaignId: string): Promise<Progress> {
  const screen = out.live();
  const read = () => api.get<Progress>(`/v1/campaigns/${campaignId}/progress`).catch(() => undefined); // not projected yet
  let found = await read();
  for (const deadline = Date.now() + LONGEST_MS; found === undefined || !isDone(found); found = await read()) {
    if (Date.now() > deadline) throw new CliError(EXIT.notMet, `the fleet did not finish in ${LONGEST_MS / 1000} s`);
    if (found !== undefined) screen.paint(funnelLines(found, out.colours));
    await sleep(500, undefined, { signal });
  }
  screen.done(funnelLines(found, out.colours));
  return found;
}

/** Those that fit have it, the others have said why not; and the record of each poll, which trails by a second, has come. */
export function isDone({ funnel, dropped }: Pick<Progress, 'funnel' | 'dropped'>): boolean {
  const gone = dropped.filter(({ kind }) => kind !== 'withheld').reduce((sum, { devices }) => sum + devices, 0);
  return funnel.confirmed >= FITTING && gone >= DECLINING && funnel.polled >= FITTING + DECLINING;
}

export const demoCommands: readonly Command[] = [demo];

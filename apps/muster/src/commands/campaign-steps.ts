import { type Command, command, type Context } from '../cli/command.js';
import { usage } from '../cli/exit-codes.js';
import { campaign, type Campaign, pathOf, reason } from './one-campaign.js';

/** Commands that change a campaign and take no more than a body. */
const act = async (context: Context, id: string, verb: string, body: object = {}): Promise<void> => {
  const found = await context.api.change<Campaign>('POST', pathOf(id), `${pathOf(id)}/${verb}`, body);
  const { campaignId, name, status } = found;
  context.out.result(found, ({ bold }) => `${name} is ${bold(status)}.`);
  if (status === 'running' || status === 'scheduled') context.out.next(`muster campaign watch ${campaignId}`);
};

const schedule = command({
  name: 'campaign schedule',
  summary: 'Schedule a draft: from now on, or from its start',
  args: campaign,
  options: {
    start: { type: 'string', help: 'when it starts; now when left out here and in the draft', placeholder: 'instant' },
    end: { type: 'string', help: 'when it ends', placeholder: 'instant' },
  },
  examples: [
    'muster campaign schedule 0198c6f2-…',
    'muster campaign schedule 0198c6f2-… --start 2026-12-01T02:00:00+01:00',
  ],
  run: ({ campaign: id, start, end }, context) =>
    act(context, id, 'schedule', { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) }),
});

const wave = command({
  name: 'campaign wave',
  summary: 'Widen the wave to more devices',
  args: { ...campaign, upTo: { help: 'buckets in the wave, of 10,000' } },
  examples: ['muster campaign wave 0198c6f2-… 2500'],
  run: ({ campaign: id, upTo }, context) => {
    if (!/^[0-9]{1,5}$/.test(upTo)) throw usage(`${upTo} is not a number of buckets`);
    return act(context, id, 'wave', { waveUpTo: Number(upTo) });
  },
});

const pause = command({
  name: 'campaign pause',
  summary: 'Pause a campaign: no new grants; --hard stops running transfers, too',
  args: campaign,
  options: { reason, hard: { type: 'boolean', help: 'stop running transfers, too' } },
  examples: ['muster campaign pause 0198c6f2-… --reason "support lines are full"'],
  run: ({ campaign: id, reason: why, hard }, context) =>
    act(context, id, 'pause', { kind: hard ? 'hard' : 'soft', reason: why }),
});

const resume = command({
  name: 'campaign resume',
  summary: 'Resume a paused campaign; one that a rule has halted takes a reason',
  args: campaign,
  options: { reason: { ...reason, required: false } },
  examples: ['muster campaign resume 0198c6f2-…', 'muster campaign resume 0198c6f2-… --reason "known defect"'],
  run: ({ campaign: id, reason: why }, context) => act(context, id, 'resume', why === undefined ? {} : { reason: why }),
});

const undo = command({
  name: 'campaign undo',
  summary: 'Take the last step back, within five minutes',
  args: campaign,
  options: { reason },
  examples: ['muster campaign undo 0198c6f2-… --reason "wrong campaign"'],
  run: ({ campaign: id, reason: why }, context) => act(context, id, 'undo', { reason: why }),
});

interface Simulated {
  isKnowable: boolean;
  why: string | null;
  isPartial: boolean;
  from: string;
  until: string;
  polls: number;
  devices: number;
  fits: number | null;
  doesNotFit: number | null;
  unknown: number | null;
  served: number | null;
  held: Record<string, number> | null;
  starved: Record<string, number> | null;
  bytes: number | null;
  hours: { at: string; polls: number; matches: number | null; bytes: number | null }[];
  rivals: { campaignId: string; kind: string; devices: number; won: number }[] | null;
  digest: string;
}

const counts = (of: Record<string, number>): string =>
  Object.entries(of)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

const simulate = command({
  name: 'campaign simulate',
  summary: 'Replay the polls of the last days through a draft: who would fit, matches and bytes by the hour, conflicts',
  args: campaign,
  options: { days: { type: 'number', help: 'so many days, 31 at most', default: 7 } },
  examples: ['muster campaign simulate 0198c6f2-… --days 7', 'muster campaign simulate 0198c6f2-… --json'],
  run: async ({ campaign: id, days }, { api, out }) => {
    const run = await api.get<Simulated>(`${pathOf(id)}/dry-run?days=${days}`);
    const fields: Parameters<typeof out.record>[1] = {
      time: `${run.from} to ${run.until}${run.isPartial ? ' (partial: over the limits)' : ''}`,
      polls: run.polls,
      devices: run.devices,
      ...(run.why === null ? {} : { 'not knowable': run.why }),
      ...(run.fits === null ? {} : { fit: run.fits, 'do not fit': run.doesNotFit, unknown: run.unknown }),
      ...(run.served === null ? {} : { served: run.served, bytes: run.bytes }),
      ...(run.held === null ? {} : { 'held back': counts(run.held) }),
      ...(run.starved === null ? {} : { starved: counts(run.starved) }),
      ...Object.fromEntries(
        (run.rivals ?? []).map((rival) => [
          `meets ${rival.campaignId}`,
          `${rival.kind}, first at ${rival.won} of ${rival.devices}`,
        ]),
      ),
      digest: run.digest,
    };
    out.record(run, fields);
    if (out.json) return;
    out.table(run.hours, {
      hour: ({ at }) => at,
      polls: ({ polls }) => polls,
      matches: ({ matches }) => matches ?? 'not knowable',
      bytes: ({ bytes }) => bytes ?? 'not knowable',
    });
  },
});

const silent = command({
  name: 'campaign silent',
  summary: 'List devices that a campaign is for and that have not asked for days',
  args: campaign,
  options: {
    days: { type: 'number', help: 'so many days', default: 7 },
    limit: { type: 'number', help: 'how many at most', default: 200 },
  },
  examples: ['muster campaign silent 0198c6f2-… --days 14'],
  run: async ({ campaign: id, days, limit }, { api, out }) => {
    const found = await api.list<{
      deviceId: string;
      deviceNo: number;
      lastSeenAt: string | null;
      eligibility: string;
    }>(`${pathOf(id)}/silent?days=${days}`, limit);
    out.table(found, {
      no: ({ deviceNo }) => deviceNo,
      id: ({ deviceId }) => deviceId,
      'last seen': ({ lastSeenAt }) => lastSeenAt ?? 'never',
      eligible: ({ eligibility }) => eligibility,
    });
  },
});

interface Woken {
  sent: number;
  failed: number;
  isPartial: boolean;
  next: string | null;
}

const wake = command({
  name: 'campaign wake',
  summary: 'Wake the silent devices of a campaign, as many as the channel’s rate allows',
  args: campaign,
  options: {
    days: { type: 'number', help: 'silent for so many days', default: 7 },
    cursor: { type: 'string', help: 'go on where the command before stopped, as it said' },
  },
  examples: ['muster campaign wake 0198c6f2-… --days 14'],
  run: async ({ campaign: id, days, cursor }, { api, out, signal }) => {
    let at: string | null | undefined = cursor;
    let [sent, failed] = [0, 0];
    // The same cursor again: the rate lets none go now.
    for (let before: string | undefined; at !== null && (at === undefined || at !== before) && !signal.aborted; ) {
      before = at;
      const body = { days, ...(at === undefined ? {} : { cursor: at }) };
      const woken: Woken = await api.post<Woken>(`${pathOf(id)}/wake`, body);
      sent += woken.sent;
      failed += woken.failed;
      at = woken.next;
    }
    const isPartial = at !== null;
    out.result(
      { sent, failed, isPartial, next: at },
      ({ bold }) => `${bold(String(sent))} woken, ${failed} failed${isPartial ? '; there are more' : ''}.`,
    );
    if (isPartial) out.next(`muster campaign wake ${id} --days ${days} --cursor ${at}`);
  },
});

const submit = command({
  name: 'campaign submit',
  summary: 'Ask for the review of a draft',
  args: campaign,
  examples: ['muster campaign submit 0198c6f2-…'],
  run: ({ campaign: id }, context) => act(context, id, 'submit'),
});

const approve = command({
  name: 'campaign approve',
  summary: 'Approve a campaign that others have drafted',
  args: campaign,
  options: { remark: { type: 'string', help: 'goes on the record' } },
  examples: ['muster campaign approve 0198c6f2-…'],
  run: ({ campaign: id, remark }, context) => act(context, id, 'approve', { remark: remark ?? '' }),
});

const reject = command({
  name: 'campaign reject',
  summary: 'Give a campaign back to its authors',
  args: campaign,
  options: { reason },
  examples: ['muster campaign reject 0198c6f2-… --reason "not on a Friday"'],
  run: ({ campaign: id, reason: why }, context) => act(context, id, 'reject', { reason: why }),
});

const review = command({
  name: 'campaign review',
  summary: 'Show how many have to approve a campaign, or set it',
  options: { approvals: { type: 'number', help: 'so many people, other than its authors; 0 = none' } },
  examples: ['muster campaign review', 'muster campaign review --approvals 2'],
  run: async ({ approvals }, { api, out }) => {
    const found =
      approvals === undefined
        ? await api.get<{ approvals: number }>('/v1/review')
        : (await api.call<{ approvals: number }>('PUT', '/v1/review', { body: { approvals } })).body;
    out.result(found, ({ bold }) => `A campaign takes ${bold(String(found.approvals))} approvals.`);
  },
});

const complete = command({
  name: 'campaign complete',
  summary: 'Complete a campaign: no further grants, running transfers finish',
  args: campaign,
  options: { reason },
  examples: ['muster campaign complete 0198c6f2-… --reason done'],
  run: ({ campaign: id, reason: why }, context) => act(context, id, 'complete', { reason: why }),
});

const abort = command({
  name: 'campaign abort',
  summary: 'Abort a campaign; --recall cancels on the handsets what was granted',
  args: campaign,
  options: { reason, recall: { type: 'boolean', help: 'cancel what was granted' } },
  examples: ['muster campaign abort 0198c6f2-… --reason "wrong file" --recall'],
  run: ({ campaign: id, reason: why, recall }, context) =>
    act(context, id, 'abort', { disposition: recall ? 'recall' : 'keep', reason: why }),
});

/** What takes a campaign from its draft to its end. */
export const campaignSteps: readonly Command[] = [
  ...[silent, wake],
  ...[simulate, submit, approve, reject, review],
  ...[schedule, wave, pause, resume, undo, complete, abort],
];

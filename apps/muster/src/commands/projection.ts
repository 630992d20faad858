import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT, usage } from '../cli/exit-codes.js';

interface Projection {
  name: string;
  version: number;
  state: string;
  lagEvents: number;
  lagSeconds: number;
  parked: number;
  /** Those that lag. */
  partitions: { topic: string; partition: number; events: number; seconds: number }[];
}

interface ParkedStream {
  topic: string;
  partition: number;
  stream: string;
  fromOffset: number;
  error: string;
  events: number;
}

interface Unparked {
  applied: number;
  passedOver: { topic: string; partition: number; offset: number; error: string }[];
}

interface Operation {
  id: string;
  status: 'running' | 'done' | 'failed' | 'cancelled' | 'lost';
  result: object | null;
}

type Verification =
  | { equal: true }
  | { equal: false; differences: { table: string; key: unknown; column: string; live: unknown; rebuilt: unknown }[] };

/** Starts what goes on after its 202, and waits for its end. */
async function operation({ api, signal }: Context, path: string): Promise<Operation> {
  let found = await api.post<Operation>(path);
  while (found.status === 'running') {
    await sleep(500, undefined, { signal });
    found = await api.get<Operation>(`/v1/operations/${found.id}`);
  }
  if (found.status === 'done') return found;
  const code = found.result !== null && 'code' in found.result ? ` (${String(found.result.code)})` : '';
  const ends = { lost: 'was lost with its process', cancelled: 'was cancelled', failed: 'failed' } as const;
  throw new CliError(EXIT.failed, `it ${ends[found.status]}${code}`);
}

const pathOf = (name: string, verb: string): string => `/v1/projections/${encodeURIComponent(name)}/${verb}`;

/** The partition that has waited longest. */
function worstOf(partitions: Projection['partitions']): string {
  const [worst] = partitions.toSorted((a, b) => b.seconds - a.seconds || b.events - a.events);
  if (worst === undefined) return '';
  return `${worst.topic}/${worst.partition}: ${worst.events} events, ${worst.seconds} s`;
}

const list = command({
  name: 'projection list',
  summary: 'List the read models and how far they are behind the log',
  examples: ['muster projection list'],
  run: async (_, { api, out }) => {
    const { items } = await api.get<{ items: Projection[] }>('/v1/projections');
    out.table(items, {
      name: ({ name }) => name,
      version: ({ version }) => version,
      state: ({ state }) => state,
      behind: ({ lagEvents }) => `${lagEvents} events`,
      age: ({ lagSeconds }) => `${lagSeconds} s`,
      worst: ({ partitions }) => worstOf(partitions),
      parked: ({ parked }) => parked,
    });
  },
});

const cancel = command({
  name: 'projection cancel',
  summary: 'End a rebuild or verification that goes on; what is live stays',
  args: { operation: { help: 'id of the operation, as `GET /v1/operations` lists it' } },
  examples: ['muster projection cancel 0198c6f2-…'],
  run: async ({ operation: id }, { api, out }) => {
    await api.post(`/v1/operations/${encodeURIComponent(id)}/cancel`);
    out.result({ id }, () => `${id} is cancelled.`);
  },
});

const rebuild = command({
  name: 'projection rebuild',
  summary: 'Rebuild a read model from the event log, beside the live one',
  args: { projection: { help: 'e.g. campaign_progress' } },
  examples: ['muster projection rebuild campaign_progress'],
  run: async ({ projection }, context) => {
    context.out.note('Rebuilding; the live one goes on meanwhile.');
    const done = await operation(context, pathOf(projection, 'rebuild'));
    context.out.result(done, () => `${projection} was rebuilt.`);
    context.out.next(`muster projection verify ${projection}`);
  },
});

const verify = command({
  name: 'projection verify',
  summary: 'Compare a read model with one rebuilt from the log, cell by cell',
  args: { projection: { help: 'e.g. campaign_progress' } },
  examples: ['muster projection verify campaign_progress', 'muster projection verify device_timeline --json'],
  run: async ({ projection }, context) => {
    const { out } = context;
    const found = (await operation(context, pathOf(projection, 'verify'))).result as Verification;
    if (found.equal) return out.result(found, ({ green }) => `${green('equal')}: ${projection} is what the log says.`);
    const cell = (value: unknown) => JSON.stringify(value);
    out.table(
      found.differences,
      {
        table: ({ table }) => table,
        key: ({ key }) => cell(key),
        column: ({ column }) => column,
        live: ({ live }) => cell(live),
        rebuilt: ({ rebuilt }) => cell(rebuilt),
      },
      found,
    );
    const hint = `muster projection rebuild ${projection}`;
    throw new CliError(EXIT.notMet, `${projection} differs from what the log says`, hint);
  },
});

const parked = command({
  name: 'projection parked',
  summary: 'List the streams that a read model has put aside, and why',
  args: { projection: { help: 'e.g. campaign_progress' } },
  examples: ['muster projection parked campaign_progress'],
  run: async ({ projection }, { api, out }) => {
    const url = `/v1/projections/${encodeURIComponent(projection)}`;
    const { parkedStreams } = await api.get<{ parkedStreams: ParkedStream[] }>(url);
    out.table(parkedStreams, {
      stream: ({ stream }) => stream,
      from: ({ topic, partition, fromOffset }) => `${topic}/${partition} ${fromOffset}`,
      events: ({ events }) => events,
      error: ({ error }) => error,
    });
  },
});

const unpark = command({
  name: 'projection unpark',
  summary: 'Apply what a read model has put aside of a stream, after a repair',
  args: { projection: { help: 'e.g. campaign_progress' }, stream: { help: 'as `projection parked` names it' } },
  options: {
    discard: { type: 'boolean', help: 'do without the events that still fail, for good' },
    reason: { type: 'string', help: 'why, for the record; needed with --discard' },
  },
  examples: [
    'muster projection unpark campaign main/0198c6f2-…',
    'muster projection unpark campaign main/0198c6f2-… --discard --reason "torn by a disk, no copy left"',
  ],
  run: async ({ projection, stream, discard, reason }, { api, out }) => {
    if (discard && reason === undefined) throw usage('--discard needs a --reason');
    const done = await api.post<Unparked>(pathOf(projection, 'unpark'), { stream, discard, reason });
    out.result(done, () =>
      [
        `${done.applied} events of ${stream} were applied.`,
        ...done.passedOver.map(
          ({ topic, partition, offset, error }) => `Passed over for good: ${topic}/${partition} ${offset} (${error}).`,
        ),
      ].join('\n'),
    );
    out.next(`muster projection verify ${projection}`);
  },
});

export const projectionCommands: readonly Command[] = [list, parked, unpark, rebuild, verify, cancel];

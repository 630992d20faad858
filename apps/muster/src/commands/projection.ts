import { type Command, command } from '../cli/command.js';
import { CliError, EXIT } from '../cli/exit-codes.js';

interface ProjectionStatus {
  name: string;
  version: number;
  behind?: number;
  parked?: number;
  state?: string;
}

type Verification =
  | { equal: true }
  | { equal: false; differences: { table: string; key: unknown; column: string; live: unknown; rebuilt: unknown }[] };

const list = command({
  name: 'projection list',
  summary: 'List the read models and how far they are',
  examples: ['muster projection list'],
  run: async (_, { api, out }) => {
    const { items } = await api.get<{ items: ProjectionStatus[] }>('/v1/projections');
    out.table(items, {
      name: ({ name }) => name,
      version: ({ version }) => version,
      state: ({ state }) => state,
      behind: ({ behind }) => behind,
      parked: ({ parked }) => parked,
    });
  },
});

const rebuild = command({
  name: 'projection rebuild',
  summary: 'Rebuild a read model from the event log, beside the live one',
  args: { projection: { help: 'e.g. campaign_progress' } },
  examples: ['muster projection rebuild campaign_progress'],
  run: async ({ projection }, { api, out }) => {
    out.note('Rebuilding; the live one goes on meanwhile.');
    const result = await api.post<object>(`/v1/projections/${encodeURIComponent(projection)}/rebuild`);
    out.result(result, () => `${projection} was rebuilt.`);
    out.next(`muster projection verify ${projection}`);
  },
});

const verify = command({
  name: 'projection verify',
  summary: 'Compare a read model with one rebuilt from the log, cell by cell',
  args: { projection: { help: 'e.g. campaign_progress' } },
  examples: ['muster projection verify campaign_progress', 'muster projection verify device_timeline --json'],
  run: async ({ projection }, { api, out }) => {
    const found = await api.post<Verification>(`/v1/projections/${encodeURIComponent(projection)}/verify`);
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
    throw new CliError(
      EXIT.notMet,
      `${projection} differs from what the log says`,
      `muster projection rebuild ${projection}`,
    );
  },
});

export const projectionCommands: readonly Command[] = [list, rebuild, verify];

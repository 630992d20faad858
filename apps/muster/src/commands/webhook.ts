import { type Command, command } from '../cli/command.js';
import { usage } from '../cli/exit-codes.js';

interface Webhook {
  webhookId: string;
  url: string;
  kinds: string[];
  enabled: boolean;
  lastDeliveredAt: string | null;
  lastFailedAt: string | null;
  lastFailure: string | null;
  waiting: number;
  givenUp: number;
}

interface Delivery {
  deliveryId: string;
  type: string;
  campaignId: string;
  at: string;
  state: string;
  attempts: number;
  nextAttemptAt: string | null;
  failure: string | null;
}

const KINDS_HELP = 'halted, paused, completed, aborted, approval-needed; by comma';
const ROOT = '/v1/webhooks';
const pathOf = (id: string): string => `${ROOT}/${encodeURIComponent(id)}`;
const webhook = { webhook: { help: 'id of the webhook' } };

const kindsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

const failed = ({ lastFailedAt, lastFailure }: Webhook): string | null =>
  lastFailedAt === null ? null : `${lastFailedAt}, ${lastFailure ?? ''}`;

const columns = {
  id: ({ webhookId }: Webhook) => webhookId,
  url: ({ url }: Webhook) => url,
  tells: ({ kinds }: Webhook) => kinds.join(', '),
  state: ({ enabled }: Webhook) => (enabled ? '' : 'off'),
  delivered: ({ lastDeliveredAt }: Webhook) => lastDeliveredAt ?? 'never',
  failed,
  waiting: ({ waiting }: Webhook) => waiting,
  'given up': ({ givenUp }: Webhook) => givenUp,
};

const fields = (one: Webhook): Record<string, string | number | null> =>
  Object.fromEntries(Object.entries(columns).map(([name, of]) => [name, of(one)]));

const list = command({
  name: 'webhook list',
  summary: 'List who is told what happens to campaigns, and how that fares',
  examples: ['muster webhook list'],
  run: async (_, { api, out }) => {
    const { items } = await api.get<{ items: Webhook[] }>(ROOT);
    out.table(items, columns);
  },
});

const add = command({
  name: 'webhook add',
  summary:
    'Have a system told when a campaign halts, completes or needs approval; the key of the signatures is printed once',
  args: { url: { help: 'https' } },
  options: { kinds: { type: 'string', help: `${KINDS_HELP}; all when left out`, placeholder: 'kinds' } },
  examples: [
    'muster webhook add https://ops.example/muster',
    'muster webhook add https://ops.example/muster --kinds halted,approval-needed',
  ],
  run: async ({ url, kinds }, { api, out }) => {
    const body = { url, ...(kinds === undefined ? {} : { kinds: kindsOf(kinds) }) };
    const added = await api.post<Webhook & { secret: string }>(ROOT, body);
    out.record(added, { id: added.webhookId, url: added.url, tells: added.kinds.join(', '), secret: added.secret });
    out.note('The secret signs the messages (Muster-Signature). It is shown this once.');
    out.next(`muster webhook test ${added.webhookId}`);
  },
});

const show = command({
  name: 'webhook show',
  summary: 'Show a webhook, and what was told there last',
  args: webhook,
  examples: ['muster webhook show 0198c6f2-…'],
  run: async ({ webhook: id }, { api, out }) => {
    const found = await api.get<Webhook & { deliveries: Delivery[] }>(pathOf(id));
    out.record(found, fields(found));
    if (out.json) return;
    out.table(found.deliveries, {
      at: ({ at }) => at,
      what: ({ type }) => type,
      campaign: ({ campaignId }) => campaignId,
      state: ({ state }) => state,
      attempts: ({ attempts }) => attempts,
      next: ({ nextAttemptAt }) => nextAttemptAt,
      failure: ({ failure }) => failure,
    });
  },
});

const change = command({
  name: 'webhook change',
  summary:
    'Change where a webhook goes or what is told there, turn it off or on, or make a new key, which is printed once',
  args: webhook,
  options: {
    url: { type: 'string', help: 'where it goes' },
    kinds: { type: 'string', help: KINDS_HELP, placeholder: 'kinds' },
    disable: { type: 'boolean', help: 'tell nothing there' },
    enable: { type: 'boolean', help: 'tell it again' },
    newSecret: { type: 'boolean', help: 'make a new key of its signatures' },
  },
  examples: ['muster webhook change 0198c6f2-… --disable', 'muster webhook change 0198c6f2-… --new-secret'],
  run: async ({ webhook: id, url, kinds, disable, enable, newSecret }, { api, out }) => {
    if (disable && enable) throw usage('--disable and --enable contradict each other');
    const changes = {
      ...(url === undefined ? {} : { url }),
      ...(kinds === undefined ? {} : { kinds: kindsOf(kinds) }),
      ...(disable || enable ? { enabled: enable } : {}),
    };
    const isChanged = Object.keys(changes).length > 0;
    if (!isChanged && !newSecret) throw usage('nothing to change: name an option');
    const { url: at, kinds: told, enabled } = await api.get<Webhook>(pathOf(id));
    const body = { url: at, kinds: told, enabled, ...changes };
    const changed = isChanged
      ? (await api.call<Webhook>('PUT', pathOf(id), { body })).body
      : await api.get<Webhook>(pathOf(id));
    const secret = newSecret ? (await api.post<{ secret: string }>(`${pathOf(id)}/secret`)).secret : undefined;
    const shown = secret === undefined ? {} : { secret };
    out.record({ ...changed, ...shown }, { ...fields(changed), ...shown });
    if (secret !== undefined) out.note('The secret is shown this once; the one before is good no more.');
  },
});

const test = command({
  name: 'webhook test',
  summary: 'Send a message that says nothing, and say whether it was taken',
  args: webhook,
  examples: ['muster webhook test 0198c6f2-…'],
  run: async ({ webhook: id }, { api, out }) => {
    const tested = await api.post<{ isTaken: boolean; failure: string | null }>(`${pathOf(id)}/test`);
    out.result(tested, () => (tested.isTaken ? 'It was taken.' : `It was not taken: ${tested.failure}.`));
  },
});

const remove = command({
  name: 'webhook remove',
  summary: 'Remove a webhook, with what was still to be told there',
  args: webhook,
  examples: ['muster webhook remove 0198c6f2-…'],
  run: async ({ webhook: id }, { api, out }) => {
    await api.call('DELETE', pathOf(id));
    out.result({ webhookId: id }, () => 'It is removed.');
  },
});

export const webhookCommands: readonly Command[] = [list, add, show, change, test, remove];

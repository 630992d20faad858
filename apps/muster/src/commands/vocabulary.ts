import { ask, readSecretFile } from '../cli/ask.js';
import type { ExplainedRule } from '#matching/index.js';
import { type Command, command } from '../cli/command.js';
import { ruleLines } from '../cli/explanation.js';
import { jsonFile } from '../cli/parse.js';

interface Schema {
  version: number;
  attributes: Record<string, { type: string; description?: string; personal?: boolean }>;
}

interface Rules {
  version: number;
  rules: { id: string; on: string[]; when?: string; minInterval?: number; jitter?: number; after?: number }[];
}

interface Key {
  role: string;
  keyIds: string[];
  threshold: number;
  online: boolean;
  version: number | null;
  expiresAt: string | null;
  due: boolean;
}

const channelOption = { type: 'string', help: 'the audience', default: 'main' } as const;

const channelList = command({
  name: 'channel list',
  summary: 'List the channels of your tenant',
  examples: ['muster channel list'],
  run: async (_, { api, out }) => {
    const { items } = await api.get<{ items: { channel: string; createdAt: string }[] }>('/v1/channels');
    out.table(items, { channel: ({ channel }) => channel, created: ({ createdAt }) => createdAt });
  },
});

const channelAdd = command({
  name: 'channel add',
  summary: 'Add a channel with a signed catalogue of its own; the passphrase of its offline keys is printed once',
  args: { channel: { help: 'name: a-z, 0-9 and -, a letter first' } },
  examples: ['muster channel add beta'],
  run: async ({ channel }, { api, out }) => {
    const made = await api.post<{ channel: string; passphrase: string }>('/v1/channels', { channel });
    out.record(made, { channel: made.channel, passphrase: made.passphrase });
    out.note('The passphrase is needed to rotate root and targets keys. It is kept nowhere: write it down.');
  },
});

const channelWake = command({
  name: 'channel wake',
  summary: 'Show where the wakes of a channel go, or set it; the key of their signatures is printed once',
  args: { channel: { help: 'its name' }, url: { help: 'https', optional: true } },
  options: { perMinute: { type: 'number', help: 'messages a minute at most', default: 600 } },
  examples: ['muster channel wake main', 'muster channel wake main https://push.example/muster --per-minute 100'],
  run: async ({ channel, url, perMinute }, { api, out }) => {
    const path = `/v1/channels/${encodeURIComponent(channel)}/wake`;
    if (url === undefined) {
      const target = await api.get<{ url: string; perMinute: number }>(path);
      return out.record(target, { url: target.url, 'per minute': target.perMinute });
    }
    const body = { url, perMinute };
    const set = (await api.call<{ url: string; perMinute: number; secret: string }>('PUT', path, { body })).body;
    out.record(set, { url: set.url, 'per minute': set.perMinute, secret: set.secret });
    out.note('The secret signs the messages (Muster-Signature). It is shown this once.');
  },
});

const schemaShow = command({
  name: 'schema show',
  summary: 'Show the attributes that rules may ask for',
  examples: ['muster schema show', 'muster schema show --json > schema.json'],
  run: async (_, { api, out }) => {
    const schema = await api.get<Schema>('/v1/schema');
    const rows = Object.entries(schema.attributes).map(([name, attribute]) => ({ name, ...attribute }));
    const personal = (row: (typeof rows)[number]) => (row.personal === true ? 'yes' : '');
    out.table(
      rows,
      { attribute: ({ name }) => name, type: ({ type }) => type, personal, what: ({ description }) => description },
      schema,
    );
  },
});

const schemaPublish = command({
  name: 'schema publish',
  summary: 'Publish the next attribute schema, which may only add to the one before',
  args: {
    file: {
      help: 'JSON: {"attributes": {"os": {"type": "string"}}}; without a version the next one; - for standard input',
    },
  },
  examples: ['muster schema publish schema.json'],
  run: async ({ file }, { api, out }) => {
    const next = { version: (await api.get<Schema>('/v1/schema')).version + 1, ...jsonFile(file) };
    const { body: schema } = await api.call<Schema>('PUT', '/v1/schema', { body: next });
    out.result(
      schema,
      () => `Schema version ${schema.version} is published: ${Object.keys(schema.attributes).join(', ')}.`,
    );
    out.next('muster content publish <file> --selector <rule>');
  },
});

const ruleShow = command({
  name: 'rule show',
  summary: 'Show the trigger rules in force on a channel',
  options: { channel: channelOption },
  examples: ['muster rule show', 'muster rule show --channel beta --json > rules.json'],
  run: async ({ channel }, { api, out }) => {
    const rules = await api.get<Rules>(`/v1/rules/${encodeURIComponent(channel)}`);
    out.table(
      rules.rules,
      {
        rule: ({ id }) => id,
        on: ({ on }) => on.join(', '),
        when: ({ when }) => when,
        'min interval': ({ minInterval }) => (minInterval === undefined ? undefined : `${minInterval} s`),
        after: ({ after }) => after,
      },
      rules,
    );
  },
});

const rulePublish = command({
  name: 'rule publish',
  summary: 'Publish the next rule set of a channel; handsets store it and wake up by it',
  args: {
    file: { help: 'JSON: {"rules": [{"id": "morning", "on": ["timer"], "minInterval": 3600}]}; - for standard input' },
  },
  options: { channel: channelOption },
  examples: ['muster rule publish rules.json', 'muster rule publish rules.json --channel beta'],
  run: async ({ file, channel }, { api, out }) => {
    const path = `/v1/rules/${encodeURIComponent(channel)}`;
    const next = { version: (await api.get<Rules>(path)).version + 1, ...jsonFile(file) };
    const { body: rules } = await api.call<Rules>('PUT', path, { body: next });
    out.result(
      rules,
      () => `Rule set ${rules.version} of ${channel} is published: ${rules.rules.map(({ id }) => id).join(', ')}.`,
    );
  },
});

interface Share {
  devices: number;
  from: number;
  to: number;
}
interface Audience extends Record<'matching' | 'notMatching' | 'unknown' | 'untold' | 'gained' | 'lost', Share | null> {
  isKnowable: boolean;
  devices: number | null;
  looked: number | null;
  isPartial: boolean;
}

const shareText = (share: Share | null): string | undefined =>
  share === null || share.from === share.to
    ? share?.devices.toString()
    : `${share.devices} (${share.from} to ${share.to})`;

const ruleCount = command({
  name: 'rule count',
  summary: 'Count whom a selector is for that is nowhere kept yet, and how that differs from a content or campaign',
  args: { selector: { help: 'CEL over `device`' } },
  options: {
    channel: channelOption,
    mode: { type: 'string', help: 'who compares: device, server or either', default: 'server' },
    than: { type: 'string', help: 'id of a content or campaign', placeholder: 'id' },
    sample: { type: 'number', help: 'devices that are looked at, at most', default: 2_000 },
  },
  examples: [
    `muster rule count 'device.model == "m1"'`,
    `muster rule count 'device.free > 10' --than 0198c6f3-… --sample 10000`,
  ],
  run: async ({ selector, channel, mode, than, sample }, { api, out }) => {
    const asked = { selector, channel, mode, sample: String(sample), ...(than === undefined ? {} : { than }) };
    const found = await api.get<Audience>(`/v1/audience?${new URLSearchParams(asked).toString()}`);
    if (!found.isKnowable)
      return out.result(
        found,
        () => 'not knowable: the devices compare by themselves, and what they are does not leave them',
      );
    out.record(found, {
      matching: shareText(found.matching),
      'not matching': shareText(found.notMatching),
      unknown: shareText(found.unknown),
      'told nothing': shareText(found.untold),
      gained: shareText(found.gained),
      lost: shareText(found.lost),
    });
    out.note(
      `${found.looked} of ${found.devices} devices were looked at${found.isPartial ? ', for want of time' : ''}`,
    );
  },
});

const ruleTest = command({
  name: 'rule test',
  summary: 'Say what a selector that is nowhere kept yet comes to for one device, condition by condition',
  args: { selector: { help: 'CEL over `device`' } },
  options: { device: { type: 'string', help: 'id of the device', required: true } },
  examples: [`muster rule test 'device.model == "m1"' --device 0198c6f2-…`],
  run: async ({ selector, device }, { api, out }) => {
    const path = `/v1/devices/${encodeURIComponent(device)}/fit?${new URLSearchParams({ selector }).toString()}`;
    const found = await api.get<ExplainedRule>(path);
    out.result(found, (colours) => [String(found.result), ...ruleLines(found, colours)].join('\n'));
  },
});

const keyTable = {
  role: ({ role }: Key) => role,
  keys: ({ keyIds, threshold }: Key) => `${threshold} of ${keyIds.length}`,
  kept: ({ online }: Key) => (online ? 'online' : 'under the passphrase'),
  version: ({ version }: Key) => version,
  until: ({ expiresAt }: Key) => expiresAt,
  due: ({ due }: Key) => (due ? 'yes' : ''),
};

const keysStatus = command({
  name: 'keys status',
  summary: "Show the signing keys of a channel's catalogue, and what is due",
  options: { channel: channelOption },
  examples: ['muster keys status', 'muster keys status --channel beta --json'],
  run: async ({ channel }, { api, out }) => {
    const { items } = await api.get<{ items: Key[] }>(`/v1/keys/${encodeURIComponent(channel)}`);
    out.table(items, keyTable);
    const due = items.find(({ due: isDue, online }) => isDue && !online);
    if (due !== undefined) out.next(`muster keys rotate ${due.role} --channel ${channel}`);
  },
});

const OFFLINE = ['root', 'targets'];

const keysRotate = command({
  name: 'keys rotate',
  summary: 'Replace the keys of a role; root and targets need the passphrase of the channel',
  args: { role: { help: 'root, targets, snapshot, timestamp, catalogue, policy or grant' } },
  options: {
    channel: channelOption,
    passphraseFile: { type: 'string', help: 'file with the passphrase, - for standard input', placeholder: 'file' },
  },
  examples: ['muster keys rotate timestamp', 'muster keys rotate root --passphrase-file passphrase.txt'],
  run: async ({ role, channel, passphraseFile }, { api, out }) => {
    const asked =
      OFFLINE.includes(role) && passphraseFile === undefined ? await ask('Passphrase: ', { secret: true }) : undefined;
    const passphrase = passphraseFile === undefined ? asked : readSecretFile(passphraseFile);
    const body = { role, ...(passphrase === undefined ? {} : { passphrase }) };
    const { items } = await api.post<{ items: Key[] }>(`/v1/keys/${encodeURIComponent(channel)}/rotate`, body);
    out.table(items, keyTable);
  },
});

export const vocabularyCommands: readonly Command[] = [
  ...[channelList, channelAdd, channelWake],
  ...[schemaShow, schemaPublish],
  ...[ruleShow, rulePublish, ruleCount, ruleTest],
  ...[keysStatus, keysRotate],
];

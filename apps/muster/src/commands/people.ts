import { ask, readSecretFile } from '../cli/ask.js';
import { type Command, command } from '../cli/command.js';
import { usage } from '../cli/exit-codes.js';

interface Tenant {
  id: string;
  name: string;
  createdAt: string;
}

interface Person {
  id: string;
  email: string;
  name: string;
  roles: string[];
  disabled: boolean;
}

interface Token {
  id: string;
  name: string;
  roles: string[];
  expiresAt: string;
  revokedAt: string | null;
}

const ROLES_HELP = 'viewer, author, approver, operator, analyst, admin; by comma';
const passwordFile = {
  type: 'string',
  help: 'file with the password, - for standard input; asked for when left out',
  placeholder: 'file',
} as const;

const password = (file: string | undefined): Promise<string> | string =>
  file === undefined ? ask('New password: ', { secret: true }) : readSecretFile(file);
const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
const roles = ({ roles: held }: { roles: string[] }): string => held.join(', ');

const tenantList = command({
  name: 'tenant list',
  summary: 'List the tenants',
  examples: ['muster tenant list'],
  run: async (_, { api, out }) => {
    const { items } = await api.get<{ items: Tenant[] }>('/v1/tenants');
    out.table(items, { id: ({ id }) => id, name: ({ name }) => name, created: ({ createdAt }) => createdAt });
  },
});

const tenantAdd = command({
  name: 'tenant add',
  summary: 'Add a tenant with its first administrator',
  args: { tenant: { help: 'id: a-z, 0-9 and -, a letter first' } },
  options: {
    name: { type: 'string', help: 'what people call it; the id when left out' },
    email: { type: 'string', help: "the administrator's account", required: true },
    passwordFile,
  },
  examples: ['muster tenant add acme --name "Acme Wireless" --email ann@acme.example'],
  run: async ({ tenant, name = tenant, email, passwordFile: file }, { api, out }) => {
    const administrator = { email, name: 'Administrator', password: await password(file) };
    const added = await api.post<Tenant>('/v1/tenants', { tenant, name, administrator });
    out.record(added, { id: added.id, name: added.name });
    out.next(`muster login --tenant ${tenant} --email ${email}`);
  },
});

const userList = command({
  name: 'user list',
  summary: 'List the people of your tenant',
  examples: ['muster user list'],
  run: async (_, { api, out }) => {
    const people = await api.list<Person>('/v1/users');
    const state = ({ disabled }: Person) => (disabled ? 'disabled' : '');
    out.table(people, { id: ({ id }) => id, email: ({ email }) => email, name: ({ name }) => name, roles, state });
  },
});

const userAdd = command({
  name: 'user add',
  summary: 'Add a person',
  args: { email: { help: 'their account' } },
  options: {
    name: { type: 'string', help: 'what people call them', required: true },
    roles: { type: 'string', help: ROLES_HELP, required: true, placeholder: 'roles' },
    domain: { type: 'string', help: 'AID of the security domain they are confined to', placeholder: 'hex' },
    passwordFile,
  },
  examples: ['muster user add bob@acme.example --name Bob --roles author,operator'],
  run: async ({ email, name, roles: wanted, domain, passwordFile: file }, { api, out }) => {
    const body = {
      email,
      name,
      roles: listOf(wanted),
      password: await password(file),
      ...(domain === undefined ? {} : { domain }),
    };
    const person = await api.post<Person>('/v1/users', body);
    out.record(person, { id: person.id, email: person.email, roles: roles(person) });
  },
});

const userChange = command({
  name: 'user change',
  summary: "Change a person's roles, name or access; their sessions end",
  args: { user: { help: 'id of the person' } },
  options: {
    name: { type: 'string', help: 'new name' },
    roles: { type: 'string', help: ROLES_HELP, placeholder: 'roles' },
    disable: { type: 'boolean', help: 'shut them out' },
    enable: { type: 'boolean', help: 'let them in again' },
    passwordFile: { ...passwordFile, help: 'file with a new password, - for standard input' },
  },
  examples: ['muster user change 0198c6f2-… --roles viewer', 'muster user change 0198c6f2-… --disable'],
  run: async ({ user, name, roles: wanted, disable, enable, passwordFile: file }, { api, out }) => {
    if (disable && enable) throw usage('--disable and --enable contradict each other');
    const changes = {
      ...(name === undefined ? {} : { name }),
      ...(wanted === undefined ? {} : { roles: listOf(wanted) }),
      ...(disable || enable ? { disabled: disable } : {}),
      ...(file === undefined ? {} : { password: readSecretFile(file) }),
    };
    if (Object.keys(changes).length === 0) throw usage('nothing to change: name an option');
    const person = await api.change<Person>('PATCH', `/v1/users/${encodeURIComponent(user)}`, undefined, changes);
    out.record(person, { id: person.id, email: person.email, roles: roles(person), disabled: person.disabled });
  },
});

const tokenList = command({
  name: 'token list',
  summary: 'List the API tokens of your tenant, without their secrets',
  examples: ['muster token list'],
  run: async (_, { api, out }) => {
    const tokens = await api.list<Token>('/v1/tokens');
    const until = ({ expiresAt, revokedAt }: Token) => (revokedAt === null ? expiresAt : 'revoked');
    out.table(tokens, { id: ({ id }) => id, name: ({ name }) => name, roles, until });
  },
});

const tokenAdd = command({
  name: 'token add',
  summary: 'Issue an API token; its secret is printed once',
  args: { name: { help: 'what it is for' } },
  options: {
    roles: { type: 'string', help: `of those you have: ${ROLES_HELP}`, required: true, placeholder: 'roles' },
    days: { type: 'number', help: 'how long it is good', default: 90 },
  },
  examples: [
    'muster token add ci --roles author,operator',
    'muster token add ci --roles author --json | jq -r .token > ci.token',
  ],
  run: async ({ name, roles: wanted, days }, { api, out }) => {
    const token = await api.post<Token & { token: string }>('/v1/tokens', {
      name,
      roles: listOf(wanted),
      lifetimeDays: days,
    });
    out.record(token, { id: token.id, roles: roles(token), until: token.expiresAt, token: token.token });
    out.note('Keep the token in a file and use it by --token-file; it is not shown again.');
  },
});

const tokenRevoke = command({
  name: 'token revoke',
  summary: 'Revoke an API token: refused from the next request on',
  args: { token: { help: 'id of the token' } },
  examples: ['muster token revoke 0198c6f2-…'],
  run: async ({ token }, { api, out }) => {
    const revoked = await api.post<Token>(`/v1/tokens/${encodeURIComponent(token)}/revoke`);
    out.result(revoked, () => `${revoked.name} was revoked.`);
  },
});

export const peopleCommands: readonly Command[] = [
  ...[tenantList, tenantAdd],
  ...[userList, userAdd, userChange],
  ...[tokenList, tokenAdd, tokenRevoke],
];

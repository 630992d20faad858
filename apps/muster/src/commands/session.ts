import { Api } from '../cli/api.js';
import { ask, readSecretFile } from '../cli/ask.js';
import { type Command, command } from '../cli/command.js';
import { readCredentials, removeCredentials, writeCredentials } from '../cli/credentials.js';
import { CliError, EXIT } from '../cli/exit-codes.js';

interface Session {
  token: string;
  expiresAt: string;
}

interface Me {
  tenant: string;
  kind: string;
  id: string;
  email?: string;
  name?: string;
  roles: string[];
}

const login = command({
  name: 'login',
  summary: 'Log in as a person and keep the session for the next commands',
  options: {
    tenant: { type: 'string', help: 'the tenant', default: 'main' },
    email: { type: 'string', help: 'the account; asked for when left out' },
    passwordFile: { type: 'string', help: 'file with the password, - for standard input', placeholder: 'file' },
  },
  examples: [
    'muster login',
    'muster login --tenant acme --email ann@acme.example --server https://muster.acme.example',
    'muster login --email admin@main.local --password-file password.txt',
  ],
  run: async ({ tenant, email, passwordFile }, { api, out, env, signal }) => {
    const account = email ?? (await ask('Email: '));
    const password =
      passwordFile === undefined ? await ask('Password: ', { secret: true }) : readSecretFile(passwordFile);
    const { server, ca } = api.options;
    const session = await new Api({ server, ca, signal }).post<Session>('/v1/sessions', {
      tenant,
      email: account,
      password,
    });
    const file = writeCredentials(env, { server, tenant, token: session.token, ...(ca === undefined ? {} : { ca }) });
    out.record(
      { server, tenant, email: account, expiresAt: session.expiresAt },
      { server, tenant, email: account, until: session.expiresAt },
    );
    out.note(`The session is kept in ${file}.`);
    out.next('muster me', 'muster campaign list');
  },
});

const logout = command({
  name: 'logout',
  summary: 'End the session, here and on the server',
  examples: ['muster logout'],
  run: async (_, { api, out, env }) => {
    if (readCredentials(env) !== undefined) {
      await api.call('DELETE', '/v1/sessions/current').catch((error: unknown) => {
        // An expired session is gone already; anything else the person should know.
        if (!(error instanceof CliError && error.exitCode === EXIT.auth)) throw error;
      });
      removeCredentials(env);
    }
    out.result({ loggedOut: true }, () => 'Logged out.');
  },
});

const me = command({
  name: 'me',
  summary: 'Show who the server takes you for',
  examples: ['muster me', 'muster me --json --token-file ci.token'],
  run: async (_, { api, out }) => {
    const found = await api.get<Me>('/v1/me');
    const { tenant, email, name, roles } = found;
    out.record(found, { tenant, id: `${found.kind}:${found.id}`, email, name, roles: roles.join(', ') });
  },
});

export const sessionCommands: readonly Command[] = [login, logout, me];

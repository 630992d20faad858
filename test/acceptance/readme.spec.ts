import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun } from '../support/prerequisites.js';
import { type Ended, run, temporaryFolder } from '../support/processes.js';
import { Cli, removeServer, type Server, startServer } from '../support/server.js';

/* What the documents tell a newcomer to paste, pasted: in bash, while a server of the build runs. */

const folder = temporaryFolder('readme');
let server: Server;

beforeAll(async () => {
  server = await startServer({ data: path.join(folder.path, 'data') });
});
afterAll(async () => {
  await removeServer(server);
  folder.remove();
});

/** The last shell block below a heading; what stands before it is for a person at a keyboard. */
function shellBlock(document: string, heading: string): string {
  const section = readFileSync(document, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith(heading));
  const block = [...(section ?? '').matchAll(/^```bash\n([\s\S]*?)^```$/gm)].at(-1)?.[1];
  if (block === undefined) throw new Error(`${document} has no shell block below ${heading}`);
  return block;
}

/** Passwords and addresses come by the variables that the documents name; a person's own folders are the test's. */
function paste(block: string, variables: Record<string, string>, cwd = process.cwd()): Promise<Ended> {
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder.path,
    TMPDIR: folder.path,
    NO_COLOR: '1',
    npm_config_offline: 'true', // `npx` finds the agent in the checkout
    MUSTER_SERVER: server.url,
    ...variables,
  };
  return run('bash', ['-e', '-c', block], { env, cwd });
}

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('the documents', () => {
  it('name files that are there, save in lines that say what is not built yet', () => {
    const lines = ['README.md', 'deploy/protocol.md', 'deploy/state.md'].flatMap((document) =>
      readFileSync(document, 'utf8').split('\n'),
    );
    const named = lines
      .filter((line) => !line.includes('not built yet'))
      .flatMap((line) => [...line.matchAll(/`((?:apps|libs|test|deploy|\.ci)\/[\w./-]*)`/g)].map(([, name]) => name!));
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !existsSync(name))).toEqual([]);
  });

  it('bring a file to a handset when the walk-through of the README is pasted', async () => {
    const variables = { MUSTER_PASSWORD: server.administrator!.password };
    const { code, output, stdout } = await paste(shellBlock('README.md', 'A campaign in'), variables);
    expect(code, output).toBe(0);
    const [store] = readdirSync(folder.path).filter((name) => name.startsWith('tmp.'));
    const contents = path.join(folder.path, store!, 'contents');
    const [content] = readdirSync(contents).filter((name) => !name.includes('.'));
    expect(sha256(path.join(contents, content!))).toBe(sha256('LICENSE'));
    // The timeline's end, empty as of before the poll, then the proof that the read model is the log's.
    expect(stdout).toMatch(/OutcomeConfirmed[\s\S]*confirmed +\S+ 0\n[\s\S]*equal: campaign_progress/);
  });

  it.runIf(canRun('curl') && canRun('openssl'))(
    'let curl and openssl speak the handset protocol, on the campaign of the walk-through',
    async () => {
      const line = await new Cli(server, folder.path).text('device', 'code');
      const [, SERVER, CA, CODE] = /enrol (\S+) --ca (\S+) --code (\S+)/.exec(line) ?? [];
      const where = path.join(folder.path, 'by-hand');
      mkdirSync(where);
      const session = shellBlock('deploy/protocol.md', '10. A session by hand');
      const { code, output } = await paste(session, { SERVER: SERVER!, CA: CA!, CODE: CODE! }, where);
      expect(code, output).toBe(0);
      expect(sha256(path.join(where, 'content'))).toBe(sha256('LICENSE'));
      expect(output).toMatch(/muster-inbox: [\s\S]*\n304\n(\{"accepted":\{"epoch":1,"n":2\}\}){2}\{"items":\[\]\}$/);
    },
  );
});

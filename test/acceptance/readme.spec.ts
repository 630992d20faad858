import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, run, temporaryFolder } from '../support/processes.js';
import { removeServer, type Server, startServer } from '../support/server.js';

/* What the README tells a newcomer to paste, pasted: in bash, in the checkout, while a server of the build runs. */

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
function shellBlock(markdown: string, heading: string): string {
  const section = markdown.split(/^## /m).find((text) => text.startsWith(heading));
  const blocks = [...(section ?? '').matchAll(/^```bash\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
  const last = blocks.at(-1);
  if (last === undefined) throw new Error(`no shell block below ${heading}`);
  return last;
}

/** Password and address come by the variables that the README names; folders of the person's own are the test's. */
function paste(block: string): Promise<Ended> {
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder.path,
    TMPDIR: folder.path,
    NO_COLOR: '1',
    npm_config_offline: 'true', // `npx` finds the agent in the checkout
    MUSTER_SERVER: server.url,
    MUSTER_PASSWORD: server.administrator!.password,
  };
  return run('bash', ['-e', '-c', block], { env });
}

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('the README', () => {
  it('brings a file to a handset when its walk-through is pasted', async () => {
    const { code, output, stdout } = await paste(shellBlock(readFileSync('README.md', 'utf8'), 'A campaign in'));
    expect(code, output).toBe(0);
    const [store] = readdirSync(folder.path).filter((name) => name.startsWith('tmp.'));
    const contents = path.join(folder.path, store!, 'contents');
    const [content] = readdirSync(contents).filter((name) => !name.includes('.'));
    expect(sha256(path.join(contents, content!))).toBe(sha256('LICENSE'));
    // Empty as of before the poll, then the timeline's end, then the proof that the read model is the log's.
    expect(stdout).toMatch(/OutcomeConfirmed[\s\S]*confirmed +\S+ 0\n[\s\S]*equal: campaign_progress/);
  });
});

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, type Running, startNode, temporaryFolder } from '../support/processes.js';
import { pythonWith } from '../support/python-tuf.js';

/*
 * Programs that others wrote talk to the virtual element, through the framing of vpcd: they say whether it is a card.
 */

const HANDSET = path.resolve('dist/apps/handset/src/cli.js');
const NEW = { enc: '40', mac: '50', dek: '60' };
const keyText = (first: string) =>
  Array.from({ length: 16 }, (_, i) => (parseInt(first, 16) + i).toString(16)).join('');

const python = pythonWith('yubikit.securitydomain', 'yubikey-manager');
const folder = temporaryFolder('element');
const element = path.join(folder.path, 'element');
const keysetFile = path.join(folder.path, 'keyset.json');
let card: Running | undefined;

async function insert(): Promise<string> {
  card = startNode(HANDSET, ['element', 'run', '--folder', element, '--profile', 'bare-objects', '--vpcd', '0']);
  const [, port = ''] = await card.waitFor(/127\.0\.0\.1:(\d+)/, 20_000);
  return port;
}

interface Report {
  atr: string;
  recognition: string;
  keys: string[];
  keysAfter: string[];
  replaced: number;
  oldKeys: string;
}

describe.runIf(python !== undefined)('yubikit', () => {
  beforeAll(async () => {
    const made = await run(process.execPath, [
      HANDSET,
      'element',
      'create',
      '--folder',
      element,
      '--keyset',
      keysetFile,
    ]);
    expect(JSON.parse(made.stdout)).toEqual({ folder: element, keyVersion: 0x30 });
  });
  afterAll(async () => {
    await card?.stop();
    folder.remove();
  });

  it('authenticates at level 33, reads what the card is, puts keys, and comes back with them', async () => {
    const { version, enc, mac, dek } = JSON.parse(readFileSync(keysetFile, 'utf8')) as Record<string, string>;
    const first = [Number(version).toString(16), enc, mac, dek].join(':');
    const next = ['31', keyText(NEW.enc), keyText(NEW.mac), keyText(NEW.dek)].join(':');
    const port = await insert();
    const { stdout } = await promisify(execFile)(python!, ['test/support/yubikit_peer.py', port, first, next]);
    expect(JSON.parse(stdout)).toEqual({
      atr: '3b8601475056534531e1',
      recognition: expect.stringMatching(/^06072a864886fc6b01.*640b06092a864886fc6b040370$/) as string,
      keys: ['30/1', '30/2', '30/3'],
      keysAfter: ['30/1', '30/2', '30/3', '31/1', '31/2', '31/3'],
      replaced: 6,
      oldKeys: expect.stringMatching(/^refused/) as string,
    } satisfies Report);
  });

  it('finds the keys that it has put after the card was without power', async () => {
    await card!.stop('SIGKILL');
    const { enc, mac, dek } = JSON.parse(readFileSync(keysetFile, 'utf8')) as Record<string, string>;
    const port = await insert();
    const kept = ['31', enc, mac, dek].join(':'); // the first keys, in the place of the new ones
    const next = ['32', keyText(NEW.enc), keyText(NEW.mac), keyText(NEW.dek)].join(':');
    const { stdout } = await promisify(execFile)(python!, ['test/support/yubikit_peer.py', port, kept, next]);
    expect(JSON.parse(stdout)).toMatchObject({ replaced: 9, oldKeys: expect.stringMatching(/^refused/) as string });
  });
});

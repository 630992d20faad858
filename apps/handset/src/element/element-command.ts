import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fromHex } from '#globalplatform/index.js';
import { HandsetError } from '#handset/index.js';
import { type FirstKeyset, PROFILES, VirtualElement } from '#secure-element/index.js';
import { fileStorage } from './file-storage.js';
import { openVpcd } from './vpcd.js';

type ProfileName = keyof typeof PROFILES;
const KEY_BYTES = [16, 24, 32];

const folderOption = (): Option => new Option('--folder <folder>', 'what the element keeps').makeOptionMandatory();

const profileOption = (): Option =>
  new Option('--profile <name>', 'how the card behaves where documents leave it open')
    .choices(Object.keys(PROFILES))
    .default('standard');

function portFrom(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('not a port.');
  return port;
}

/** Virtual secure elements for whoever has no card at hand, and for tests. */
export function addElementCommand(program: Command, print: (value: unknown) => void): void {
  const element = program.command('element').description('A virtual secure element');
  element
    .command('create')
    .description('Make an element with a first keyset of its issuer security domain')
    .addOption(folderOption())
    .requiredOption(
      '--keyset <file>',
      'JSON: version and hex keys enc, mac, dek; is made by chance and written where there is none',
    )
    .action(async (options: { folder: string; keyset: string }) => {
      const keyset = keysetOf(options.keyset);
      await VirtualElement.create(fileStorage(resolve(options.folder)), keyset);
      print({ folder: resolve(options.folder), keyVersion: keyset.version });
    });
  element
    .command('run')
    .description('Put the element into readers, until it is stopped: vpcd connects to it, once for each port')
    .addOption(folderOption())
    .addOption(profileOption())
    .option('--vpcd <port>', 'of 127.0.0.1; 0 is any free one', portFrom, 35_963)
    .addHelpText('after', "\nvpcd's reader file wants DEVICENAME 127.0.0.1:0x8C7B for this port.")
    .action(async (options: { folder: string; profile: ProfileName; vpcd: number }) => run(options, print));
}

async function run(
  { folder, profile, vpcd }: { folder: string; profile: ProfileName; vpcd: number },
  print: (value: unknown) => void,
): Promise<void> {
  const card = await VirtualElement.powerOn(fileStorage(resolve(folder)), PROFILES[profile]);
  await new Promise<void>((done, failed) => {
    openVpcd(card, vpcd, failed).then(({ port, close }) => {
      print({ vpcd: `127.0.0.1:${port}` });
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (close(), done()));
    }, failed);
  });
}

/** The file has secrets: it is written for its owner alone, and never over another. */
function keysetOf(file: string): FirstKeyset {
  if (!existsSync(file)) {
    const key = () => randomBytes(16).toString('hex');
    const made = { version: 0x30, enc: key(), mac: key(), dek: key() };
    writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  }
  const refuse = (field: string, message: string) =>
    new HandsetError('element.keyset', {}, `the keyset is malformed: ${field}`, [{ pointer: `/${field}`, message }]);
  const read: unknown = parsed(readFileSync(file, 'utf8'), refuse);
  const { version, ...keys } = read as Record<string, unknown>;
  if (!Number.isInteger(version) || Number(version) < 1 || Number(version) > 0x7f)
    throw refuse('version', 'is not 1 to 127');
  const keyOf = (name: 'enc' | 'mac' | 'dek') => {
    const text = keys[name];
    if (typeof text !== 'string' || !/^([0-9a-f]{2})*$/i.test(text) || !KEY_BYTES.includes(text.length / 2))
      throw refuse(name, 'is not hex of 16, 24 or 32 bytes');
    return fromHex(text);
  };
  return { version: Number(version), enc: keyOf('enc'), mac: keyOf('mac'), dek: keyOf('dek') };
}

function parsed(text: string, refuse: (field: string, message: string) => Error): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // refused below
  }
  throw refuse('', 'is not a JSON object');
}

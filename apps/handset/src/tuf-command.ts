import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fetchFile, fileStore, httpsTransport, type Store, type Transport } from '#handset/index.js';
import { systemClock } from '#runtime/index.js';
import { checkTarget, drive, type TargetFile, targetName, TufClient, TufError, type TufPorts } from '#tuf/index.js';

/**
 * The update client behind the command line of the public TUF conformance suite: our rules, store and transport, without
 * an enrolment. Plain http to the loopback address is allowed here alone; the clock is the system's.
 */
export interface TufOptions {
  metadataDir: string;
  metadataUrl?: string;
  targetName?: string[];
  targetBaseUrl?: string;
  targetDir?: string;
}

/** Copies the trusted root; no network. Refused when it is none. */
export function tufInit({ metadataDir }: TufOptions, rootFile: string): void {
  const root = readFileSync(rootFile);
  new TufClient({ root, now: systemClock.now() });
  fileStore(resolve(metadataDir)).write('root.json', root);
}

export async function tufRefresh(options: TufOptions): Promise<void> {
  const { transport, ports, client } = open(options);
  try {
    await drive(client.refresh(), ports);
  } finally {
    transport.close();
  }
}

/** One client for all names, in order; the first failure ends it. A file that is there with the right hash is not fetched. */
export async function tufDownload(options: TufOptions): Promise<void> {
  const { transport, ports, client } = open(options);
  const base = withSlash(required(options.targetBaseUrl, '--target-base-url'));
  const from = new URL(base).origin === transport.origin ? transport : connect(base);
  try {
    await drive(client.refresh(), ports);
    for (const name of required(options.targetName, '--target-name')) {
      const target = await drive(client.target(name), ports);
      await downloadTarget(target, { client, options, transport: from, base });
    }
  } finally {
    transport.close();
    from.close();
  }
}

async function downloadTarget(
  target: TargetFile,
  { client, options, transport, base }: { client: TufClient; options: TufOptions; transport: Transport; base: string },
): Promise<void> {
  const folder = resolve(required(options.targetDir, '--target-dir'));
  const file = join(folder, encodeURIComponent(target.path));
  if (isHeld(file, target)) return;
  const path = targetName(target, client.trusted.root.consistentSnapshot);
  const url = base + path.split('/').map(encodeURIComponent).join('/');
  const bytes = await fetchFile({ transport, clock: systemClock, url, maxLength: target.length });
  if (bytes === undefined) throw new TufError('tuf.unavailable', { path: target.path });
  checkTarget(target, bytes);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, bytes);
}

function isHeld(file: string, target: TargetFile): boolean {
  try {
    checkTarget(target, readFileSync(file));
    return true;
  } catch {
    return false; // absent, or another version
  }
}

function open(options: TufOptions) {
  const base = withSlash(required(options.metadataUrl, '--metadata-url'));
  const store = fileStore(resolve(options.metadataDir));
  const transport = connect(base);
  const root = store.read('root.json') ?? store.readPrevious('root.json');
  if (root === undefined) throw new TufError('tuf.unavailable', { role: 'root' }, 'no trusted root: run init first');
  const client = new TufClient({ root, now: systemClock.now() });
  return { transport, client, ports: portsOver(store, transport, base) };
}

const connect = (base: string): Transport & { origin: string } => {
  const { origin } = new URL(base);
  return { origin, ...httpsTransport({ origin, allowsLoopbackHttp: true }) };
};

const portsOver = (store: Store, transport: Transport, base: string): TufPorts => ({
  load: (name) => Promise.resolve(store.read(name)),
  store: (name, bytes) => Promise.resolve(store.write(name, bytes)),
  remove: (name) => Promise.resolve(store.remove(name)),
  fetch: (name, maxLength) => fetchFile({ transport, clock: systemClock, url: base + name, maxLength }),
});

const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

function required<T>(value: T | undefined, option: string): T {
  if (value === undefined) throw new TufError('tuf.unavailable', { option }, `${option} is missing`);
  return value;
}

import { createServer, type Server } from 'node:http';
import { get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generateKeyPairSync, sign } from 'node:crypto';

/** Files of a TUF repository by name relative to its base: `3.snapshot.json`, `timestamp.json`, `targets/rules/<hash>.1`. */
export type Repository = ReadonlyMap<string, Buffer>;

interface SignedFile {
  signed: { version: number; meta?: Record<string, { version: number }>; delegations?: { roles?: { name: string }[] } };
  signatures: { keyid: string; sig: string }[];
}
const parse = (bytes: Buffer): SignedFile => JSON.parse(bytes.toString('utf8')) as SignedFile;

const fetchFile = (url: string): Promise<Buffer | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(answer.statusCode === 200 ? Buffer.concat(chunks) : undefined));
    }).on('error', reject);
  });

/** Copies the metadata of a running repository: every root, and what the timestamp names. */
export async function mirror(base: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const take = async (name: string): Promise<Buffer> => {
    const bytes = await fetchFile(base + name);
    if (bytes === undefined) throw new Error(`${base}${name} is not there`);
    files.set(name, bytes);
    return bytes;
  };
  for (let version = 1; ; version++) {
    const root = await fetchFile(`${base}${version}.root.json`);
    if (root === undefined) break;
    files.set(`${version}.root.json`, root);
  }
  const timestamp = parse(await take('timestamp.json'));
  const snapshot = parse(await take(`${timestamp.signed.meta!['snapshot.json']!.version}.snapshot.json`));
  for (const [name, { version }] of Object.entries(snapshot.signed.meta!)) await take(`${version}.${name}`);
  return files;
}

/** The name under which the repository now holds a role's file: `catalogue` → `7.catalogue.json`. */
export function currentName(files: Repository, role: string): string {
  if (role === 'timestamp') return 'timestamp.json';
  const timestamp = parse(files.get('timestamp.json')!);
  const snapshotName = `${timestamp.signed.meta!['snapshot.json']!.version}.snapshot.json`;
  if (role === 'snapshot') return snapshotName;
  return `${parse(files.get(snapshotName)!).signed.meta![`${role}.json`]!.version}.${role}.json`;
}

/** The file signed anew by a key that nobody trusts, under the key id that is trusted. */
export function forgeSignature(bytes: Buffer): Buffer {
  const file = parse(bytes);
  const { privateKey } = generateKeyPairSync('ed25519');
  const sig = sign(null, Buffer.from(JSON.stringify(file.signed)), privateKey).toString('hex');
  return Buffer.from(JSON.stringify({ ...file, signatures: file.signatures.map(({ keyid }) => ({ keyid, sig })) }));
}

/** Serves the files on loopback, without TLS; what is served can be changed while it runs. */
export async function serveRepository(
  files: Map<string, Buffer>,
): Promise<{ url: string; files: Map<string, Buffer>; close(): Promise<void> }> {
  const held = { files };
  const server: Server = createServer((request, answer) => {
    const bytes = held.files.get(decodeURIComponent((request.url ?? '/').slice(1)));
    answer.writeHead(bytes === undefined ? 404 : 200, { 'content-type': 'application/octet-stream' });
    answer.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get files() {
      return held.files;
    },
    set files(next) {
      held.files = next;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

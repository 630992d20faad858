import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { canRun } from './prerequisites.js';
import { type Running, start } from './processes.js';

/** Whether a real swupdate can be run here. */
export const hasSwupdate = (): boolean =>
  canRun('swupdate', 'runs of a real swupdate') && canRun('openssl', 'runs of a real swupdate');

/** Nobody in particular: swupdate needs no rights of its own, and a test must not give it root's. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Who signs images; Debian's swupdate takes no others. */
export class Signer {
  private readonly key: string;
  readonly certificate: string;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.key = path.join(folder, 'signer.key');
    this.certificate = path.join(folder, 'signer.pem');
    const usage = ['extendedKeyUsage=emailProtection,codeSigning', 'keyUsage=digitalSignature'];
    const extensions = [...usage, 'basicConstraints=critical,CA:TRUE'].flatMap((each) => ['-addext', each]);
    const files = ['-keyout', this.key, '-out', this.certificate];
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, '-days', '3650', '-subj', '/CN=signer'];
    execFileSync('openssl', [...made, ...extensions], { stdio: 'ignore' });
  }

  /** A signed image that puts one file there. */
  image(content: Buffer, target: string): Buffer {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const description = `software = { version = "1.0.0"; hardware-compatibility: [ "1.0" ];
  files: ( { filename = "file.bin"; path = "${target}"; sha256 = "${sha256}"; } ); }\n`;
    const plain = path.join(this.folder, 'sw-description');
    const signature = `${plain}.sig`;
    writeFileSync(plain, description);
    const by = ['-signer', this.certificate, '-inkey', this.key];
    const form = ['-outform', 'DER', '-nosmimecap', '-binary'];
    execFileSync('openssl', ['cms', '-sign', '-in', plain, '-out', signature, ...by, ...form], { stdio: 'ignore' });
    return archive({
      'sw-description': Buffer.from(description),
      'sw-description.sig': readFileSync(signature),
      'file.bin': content,
    });
  }
}

/** cpio, SVR4 with checksums (`-H crc`): the form of an image, whose first two members are the description and its signature. */
function archive(members: Record<string, Buffer>): Buffer {
  const all = [...Object.entries(members), ['TRAILER!!!', Buffer.alloc(0)] as const];
  const parts = all.flatMap(([name, bytes], i) => [memberHead(name, bytes, i + 1), padded(bytes, 4)]);
  return padded(Buffer.concat(parts), 512);
}

function memberHead(name: string, bytes: Buffer, inode: number): Buffer {
  const sum = bytes.reduce((total, byte) => (total + byte) >>> 0, 0);
  // inode mode uid gid links mtime size, device and special device in two parts each, length of the name, sum of the bytes
  const fields = [inode, 0o100644, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, sum];
  const hex = fields.map((n) => n.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.from(`070702${hex}${name}\0`, 'latin1'), 4);
}

const padded = (bytes: Buffer, to: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);

export interface SwupdateOptions {
  /** Folder of its own, below one that everybody may enter. */
  folder: string;
  url: string;
  tenant: string;
  id: string;
  /** CA of the server, PEM. */
  ca: string;
  credential: { targettoken: string } | { gatewaytoken: string };
  signer: Signer;
  /** What it tells of itself. */
  identify?: Record<string, string>;
}

/** A device with Debian's swupdate and its hawkBit client. */
export class Swupdate {
  private readonly config: string;

  constructor(private readonly options: SwupdateOptions) {
    const { folder, tenant, id, url, ca, credential, signer, identify = {} } = options;
    for (const each of ['', 'run', 'run/scripts', 'out']) {
      mkdirSync(path.join(folder, each), { recursive: true });
      chmodSync(path.join(folder, each), 0o777);
    }
    const file = (name: string, text: string): string => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };
    const key = file('signer.pem', readFileSync(signer.certificate, 'utf8'));
    const list = Object.entries(identify).map(([name, value]) => `{ name = "${name}"; value = "${value}"; }`);
    const own = Object.entries(credential).map(([name, value]) => `${name} = "${value}";`);
    this.config = file(
      'swupdate.cfg',
      `globals : { verbose = true; loglevel = 5; public-key-file = "${key}"; };
suricatta : { tenant = "${tenant}"; id = "${id}"; url = "${url}"; cafile = "${file('ca.pem', ca)}";
  polldelay = 5; retry = 5; retrywait = 1; ${own.join(' ')} };
identify : ( ${list.join(', ')} );\n`,
    );
  }

  /** Where an image of `Signer.image` puts its file. */
  get target(): string {
    return path.join(this.options.folder, 'out', 'installed.bin');
  }

  get installed(): Buffer | undefined {
    return existsSync(this.target) ? readFileSync(this.target) : undefined;
  }

  /** @param confirms its state is taken from the start: it has restarted after an installation, which went well */
  start({ confirms = false } = {}): Running {
    const args = ['-f', this.config, '-H', 'board:1.0', '-u', confirms ? '-c 2' : ''];
    const env = { PATH: process.env.PATH, TMPDIR: path.join(this.options.folder, 'run'), HOME: this.options.folder };
    const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
    return start('swupdate', args, { cwd: this.options.folder, env, ...as });
  }
}

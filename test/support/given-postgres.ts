import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type EmbeddedPostgres, homeFolder, startEmbeddedPostgres } from '#event-log/index.js';
import { silentLog } from '#runtime/index.js';
import { endWithUs, removeWithUs } from './left-behind.js';
import { freePort, temporaryFolder } from './processes.js';

/** A Postgres that is nobody's child but the test's, for servers that get it by `DATABASE_URL`: killed and started at will. */
export class GivenPostgres {
  private server: EmbeddedPostgres | undefined;
  private cluster = '';
  private readonly created = new Set<string>();
  private readonly folder = temporaryFolder('given-postgres');
  private port = 0;
  disk: SmallDisk | undefined;

  /** @param disk  a file system of its own for the cluster; as root only, see `canMount` */
  static async start(disk?: { megabytes: number }): Promise<GivenPostgres> {
    const made = new GivenPostgres();
    if (disk !== undefined) made.disk = new SmallDisk(homeFolder(made.data), disk.megabytes, 'nobody');
    made.port = await freePort();
    writeFileSync(path.join(made.folder.path, 'postgres.port'), String(made.port));
    await made.start();
    return made;
  }

  /** Holds `passwords.json` and `postgres.port`, as a server's own data folder does. */
  get data(): string {
    return this.folder.path;
  }

  get url(): string {
    return this.server!.superuserUrl('muster');
  }

  async start(): Promise<void> {
    const info = (event: string, fields: { folder?: unknown; cluster?: unknown } = {}) => {
      if (typeof fields.folder === 'string' && fields.folder !== '/var/lib/muster') this.created.add(fields.folder);
      if (event === 'postgres.started') this.cluster = String(fields.cluster);
    };
    const port = async () => this.port;
    this.server = await startEmbeddedPostgres({ dataDir: this.data, port, log: { ...silentLog, info } });
    removeWithUs(homeFolder(this.data));
    void this.server.died.then(endWithUs(this.postmaster()));
  }

  private postmaster(): number {
    return Number(readFileSync(path.join(this.cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** SIGKILL to the postmaster and everything it has started: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    process.kill(-this.postmaster(), 'SIGKILL'); // it leads a group of its own
    await this.server!.died;
  }

  async remove(): Promise<void> {
    await this.server?.stop();
    this.disk?.remove();
    for (const made of this.created) rmSync(made, { recursive: true, force: true });
    this.folder.remove();
  }
}

/** False, with a printed reason, where nothing can be mounted; `MUSTER_TEST_ALL=1` demands it. */
export function canMount(): boolean {
  const probe = temporaryFolder('mount');
  try {
    new SmallDisk(probe.path, 1).remove();
    return true;
  } catch (error) {
    const said = `no small disk can be mounted here (root can): tests of a full disk are skipped: ${String(error)}`;
    if (process.env.MUSTER_TEST_ALL === '1') throw new Error(said);
    console.log(said);
    return false;
  } finally {
    probe.remove();
  }
}

/** A small file system in memory over a folder, which can be filled to the last byte. */
export class SmallDisk {
  constructor(
    readonly folder: string,
    megabytes: number,
    owner = 'root',
  ) {
    mkdirSync(folder, { recursive: true });
    const settings = `size=${megabytes}m,mode=0700,uid=${idOf('-u', owner)},gid=${idOf('-g', owner)}`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', settings, 'tmpfs', folder], { stdio: 'pipe' });
  }

  /** Takes all that is left, or all but so many bytes. */
  fill(leaveBytes = 0): void {
    const { bavail, bsize } = statfsSync(this.folder);
    const blocks = Math.max(0, bavail - Math.ceil(leaveBytes / bsize));
    execFileSync('fallocate', ['-l', String(blocks * bsize), this.filler], { stdio: 'pipe' });
  }

  free(): void {
    rmSync(this.filler, { force: true });
  }

  remove(): void {
    execFileSync('umount', ['-l', this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get filler(): string {
    return path.join(this.folder, 'filler');
  }
}

const idOf = (which: '-u' | '-g', name: string): number =>
  Number(execFileSync('id', [which, name], { encoding: 'utf8' }));

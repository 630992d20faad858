import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
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

  static async start(): Promise<GivenPostgres> {
    const made = new GivenPostgres();
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
    for (const made of this.created) rmSync(made, { recursive: true, force: true });
    this.folder.remove();
  }
}

/** Mounts a small file system in memory over a folder. As root only. */
export function mountSmallDisk(folder: string, megabytes: number): () => void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', folder]);
  return () => execFileSync('umount', ['-l', folder]);
}

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Ended, eventually, run, type Running, start, temporaryFolder } from './processes.js';

const UNITS = 'deploy/systemd';
const SCRIPT = path.resolve('test/support/private-systemd.sh');
const OWN = ['-m', '-p', '-f', '-C', '-u', '-i', '--kill-child', '--propagation', 'private'];

/** False, with a printed reason, where no systemd can be booted; `MUSTER_TEST_ALL=1` demands it. */
export function canBoot(): boolean {
  const tried = spawnSync('unshare', [...OWN, 'true'], { encoding: 'utf8' });
  const lacks = existsSync('/lib/systemd/systemd') ? tried.stderr : 'there is no systemd';
  if (tried.status === 0 && existsSync('/lib/systemd/systemd')) return true;
  const said = `no systemd can be booted here (root can): tests of its units are skipped: ${lacks}`;
  if (process.env.MUSTER_TEST_ALL === '1') throw new Error(said);
  console.log(said);
  return false;
}

/** A systemd of the test's own, PID 1 of its namespaces; the network is the machine's. */
export class PrivateSystemd {
  private constructor(
    private readonly process: Running,
    private readonly init: number,
    private readonly folders: { remove(): void }[],
  ) {}

  /** @param files  laid over its file system, by absolute name */
  static async boot(files: Record<string, string>): Promise<PrivateSystemd> {
    const [copy, over] = [temporaryFolder('systemd'), temporaryFolder('systemd-files')];
    mkdirSync(path.join(over.path, 'units'));
    for (const unit of readdirSync(UNITS).filter((name) => name.endsWith('.service')))
      copyFileSync(path.join(UNITS, unit), path.join(over.path, 'units', unit));
    for (const [name, text] of Object.entries({ ...around(), ...files })) {
      mkdirSync(path.dirname(path.join(over.path, name)), { recursive: true });
      writeFileSync(path.join(over.path, name), text, { mode: 0o600 });
    }
    const booted = start('unshare', [...OWN, 'bash', SCRIPT, copy.path, path.resolve('.'), over.path]);
    await booted.waitFor(/mounted/);
    const init = Number(readFileSync(`/proc/${booted.pid}/task/${booted.pid}/children`, 'utf8').trim());
    const made = new PrivateSystemd(booted, init, [copy, over]);
    await eventually('systemd runs', async () => {
      const { stdout } = await made.run('systemctl', 'is-system-running');
      return /running|degraded/.test(stdout) || undefined;
    });
    return made;
  }

  /** Runs a program inside. */
  run(...command: string[]): Promise<Ended> {
    return run('nsenter', ['-t', String(this.init), '-m', '-p', '-u', '-i', '-r', '-w', ...command]);
  }

  /** @throws with what the unit said, when it fails */
  async systemctl(verb: string, unit: string, ...more: string[]): Promise<void> {
    const { code, output } = await this.run('systemctl', verb, unit, ...more);
    if (code !== 0) throw new Error(`systemctl ${verb} ${unit}: ${output}\n${await this.said(unit)}`);
  }

  async property(unit: string, name: string): Promise<string> {
    return (await this.run('systemctl', 'show', '--value', '-p', name, unit)).stdout.trim();
  }

  /** Everything that a unit has printed. */
  async said(unit: string): Promise<string> {
    return (await this.run('cat', `/run/${unit}.log`)).stdout;
  }

  async remove(): Promise<void> {
    await this.process.stop('SIGKILL'); // takes PID 1 with it, and that every process of the namespace
    for (const folder of this.folders) folder.remove();
  }
}

/** What units refer to and what this machine's own would do is not wanted here: empty targets, and a log a unit. */
function around(): Record<string, string> {
  const targets = ['sysinit', 'basic', 'shutdown', 'multi-user', 'network-online', 'test'];
  const empty = Object.fromEntries(
    targets.map((name) => [`units/${name}.target`, `[Unit]\nDescription=${name}\nDefaultDependencies=no\n`]),
  );
  const log = '[Service]\nStandardOutput=append:/run/%n.log\nStandardError=append:/run/%n.log\n';
  return { ...empty, 'units/service.d/log.conf': log };
}

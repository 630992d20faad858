import { execFile } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Running, startNode } from './processes.js';

const RESTART_MS = 500;
const READY_MS = 180_000;
const STOP_MS = 20_000;

export interface CopySettings {
  name: string;
  script: string;
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Holds its output and the file that arms it. */
  folder: string;
  /** What it prints when it is up. */
  ready: RegExp;
}

/** One process of an installation under a supervisor, which starts it again whenever it ends. */
export class Copy {
  readonly name: string;
  starts = 0;
  peakMegabytes = 0;
  private child: Running | undefined;
  private isWanted = false;
  private isUp = false;
  private supervision: Promise<void> = Promise.resolve();

  constructor(private readonly settings: CopySettings) {
    this.name = settings.name;
  }

  get isReady(): boolean {
    return this.isUp;
  }

  start(): void {
    this.isWanted = true;
    this.supervision = this.supervise();
  }

  /** Asks, and kills what does not go, as supervisors do. */
  async stop(): Promise<void> {
    this.isWanted = false;
    const patience = setTimeout(() => this.kill(), STOP_MS);
    await this.child?.stop();
    clearTimeout(patience);
    await this.supervision;
  }

  /** Of the process alone: the supervisor starts the next. */
  kill(): void {
    this.signal('SIGKILL');
  }

  freeze(): void {
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  /** `<failpoint>:<action>[:<n>]`, of the process as it runs. */
  arm(spec: string): void {
    writeFileSync(this.failpoint, spec);
  }

  disarm(): void {
    rmSync(this.failpoint, { force: true });
  }

  /** What its processes have printed, one life after the other. */
  output(): string {
    return Array.from({ length: this.starts }, (_, life) => this.printed(life + 1)).join('');
  }

  private printed(life: number): string {
    return readFileSync(this.file(`${life}.log`), 'utf8');
  }

  async waitUntilReady(): Promise<void> {
    for (const deadline = Date.now() + READY_MS; !this.isUp; await sleep(100))
      if (Date.now() > deadline) throw new Error(`${this.name} is not up:\n${this.output().slice(-4_000)}`);
  }

  async measure(): Promise<void> {
    if (this.child === undefined) return;
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.child.pid)]).catch(() => ({
      stdout: '0', // between two lives
    }));
    this.peakMegabytes = Math.max(this.peakMegabytes, Math.round(Number(stdout) / 1_024));
  }

  private get failpoint(): string {
    return this.file('failpoint');
  }

  private file(kind: string): string {
    return path.join(this.settings.folder, `${this.name}.${kind}`);
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.child?.isRunning() === true) process.kill(this.child.pid, signal);
  }

  private async supervise(): Promise<void> {
    while (this.isWanted) {
      const { script, args, env, ready } = this.settings;
      this.disarm(); // what killed the life before
      const life = this.starts + 1;
      const out = openSync(this.file(`${life}.log`), 'w');
      this.child = startNode(script, args, {
        env: { PATH: process.env.PATH, HOME: process.env.HOME, MUSTER_FAILPOINT: `@${this.failpoint}`, ...env },
        stdio: ['ignore', out, out],
      });
      closeSync(out);
      this.starts = life;
      await this.watch(this.child, () => ready.test(this.printed(life)));
      if (this.isWanted) await sleep(RESTART_MS);
    }
  }

  private async watch(child: Running, saysReady: () => boolean): Promise<void> {
    while (child.isRunning() && !this.isUp) {
      this.isUp = saysReady();
      await Promise.race([sleep(100), child.exited]);
    }
    await child.exited;
    this.isUp = false;
  }
}

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FleetSummary as FleetSummed } from '../../apps/handset/src/fleet/fleet.js';
import type { Line } from '../../apps/handset/src/fleet/meter.js';
import { expectStatus, type Installation } from './installation.js';
import { type Running, startNode } from './processes.js';

const HANDSET_CLI = path.resolve('dist/apps/handset/src/cli.js');

/** What `muster-handset fleet` prints each second. */
export interface FleetLine extends Line {
  at: string;
}

/** And at its end. */
export interface FleetSummary extends FleetSummed {
  kibPerHandset: number;
}

export interface Enrolment {
  enrolled: number;
  seconds: number;
  kibPerHandset: number;
}

/** A fleet in a process of its own, on an installation of the test. */
export class FleetRun {
  private constructor(
    private readonly child: Running,
    readonly enrolment: Enrolment,
  ) {}

  /** Returns when all have enrolled. */
  static async start(muster: Installation, handsets: number, args: readonly string[] = []): Promise<FleetRun> {
    const csv = ['label', ...Array.from({ length: handsets }, (_, n) => `handset-${n}`)].join('\n');
    const headers = { 'content-type': 'text/csv', accept: 'text/csv' };
    const bulk = await muster.people('POST', '/v1/enrolment-codes/bulk?lifetimeSeconds=86400', { body: csv, headers });
    const codes = path.join(muster.folder.path, `codes-${Date.now()}.csv`);
    writeFileSync(codes, expectStatus(bulk, 201).bytes, { mode: 0o600 });
    const server = `https://127.0.0.1:${muster.server.handsetPort}`;
    const command = ['fleet', server, '--ca', muster.caFingerprint, '--codes', codes, ...args];
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const child = startNode(HANDSET_CLI, command, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const [said] = await child.waitFor(/\{"enrolled".*\}/, 60_000 + handsets * 500);
    return new FleetRun(child, JSON.parse(said) as Enrolment);
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Arrivals a second from now on. */
  setRate(perSecond: number): void {
    this.child.write(`${perSecond}\n`);
  }

  /** Those that ended after the instant, oldest first. */
  linesSince(ms: number): FleetLine[] {
    const lines = this.child.stdout().split('\n').slice(0, -1);
    return lines
      .filter((line) => line.startsWith('{"at"'))
      .map((line) => JSON.parse(line) as FleetLine)
      .filter(({ at }) => Date.parse(at) > ms);
  }

  async stop(): Promise<FleetSummary> {
    await this.child.stop();
    const [, summary] = /\{"summary":(\{.*\})\}/.exec(this.child.stdout()) ?? [];
    if (summary === undefined) throw new Error(`the fleet gave no summary:\n${this.child.output().slice(-4_000)}`);
    return JSON.parse(summary) as FleetSummary;
  }

  /** What it says on standard error: mistakes of agents. */
  output(): string {
    return this.child.output();
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : sum(values) / values.length);

/** The largest mean of any so many seconds in a row. */
export function peakOver(values: readonly number[], seconds: number): number {
  const windows = values.slice(0, Math.max(1, values.length - seconds + 1));
  return Math.max(...windows.map((_, from) => mean(values.slice(from, from + seconds))));
}

import { existsSync, readdirSync } from 'node:fs';
import type { Installation } from './installation.js';
import { residentBytesOf } from './processes.js';
import type { SoakSample } from './soak-verdict.js';

/** False, with a printed reason, where the kernel does not tell what a process holds; `MUSTER_TEST_ALL=1` demands it. */
export function canSample(): boolean {
  if (existsSync('/proc/self/fd')) return true;
  const said = 'there is no /proc here: the soak is skipped';
  if (process.env.MUSTER_TEST_ALL === '1') throw new Error(said);
  console.log(said);
  return false;
}

const MIB = 1_024 * 1_024;

/** Looks at a server in equal steps until stopped. */
export class SoakSampler {
  readonly samples: SoakSample[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly began = Date.now();
  private looking: Promise<void> = Promise.resolve();
  private failure: Error | undefined;

  constructor(
    private readonly muster: Installation,
    everyMs: number,
  ) {
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look()).catch((error: Error) => void (this.failure ??= error));
    }, everyMs);
  }

  /** @throws what a look failed by */
  async stop(): Promise<readonly SoakSample[]> {
    clearInterval(this.timer);
    await this.looking;
    if (this.failure !== undefined) throw this.failure;
    return this.samples;
  }

  private async look(): Promise<void> {
    const sample = await sampleOf(this.muster, Date.now() - this.began);
    this.samples.push(sample);
  }
}

async function sampleOf(muster: Installation, atMs: number): Promise<SoakSample> {
  const { pid } = muster.server.process;
  const metrics = (await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8');
  return {
    atMs,
    rssMiB: residentBytesOf(pid) / MIB,
    heapMiB: (metricIn(metrics, 'heap_size_used_bytes') + metricIn(metrics, 'external_memory_bytes')) / MIB,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    handles: metricIn(metrics, 'active_handles_total'),
    lag: await lagOf(muster),
  };
}

/**
 * @param name  of a metric of Node, without the prefix
 * @throws Error when there is none: it would look like one that never grows
 */
export function metricIn(metrics: string, name: string): number {
  const line = new RegExp(`^muster_nodejs_${name} (\\S+)$`, 'm');
  const figure = Number(line.exec(metrics)?.[1] ?? NaN);
  if (Number.isNaN(figure)) throw new Error(`no ${line} in ${metrics.length} characters of figures`);
  return figure;
}

export async function lagOf(muster: Installation): Promise<number> {
  const { items } = await muster.ok<{ items: { lagEvents: number }[] }>('GET', '/v1/projections');
  return items.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
}

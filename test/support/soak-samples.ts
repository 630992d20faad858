import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Installation } from './installation.js';
import type { SoakSample } from './soak-verdict.js';

/** What the kernel tells of a process is read here, where it does. */
export const canSample = (): boolean => existsSync('/proc/self/fd');

const MIB = 1_024 * 1_024;

/** Looks at a server in equal steps until stopped. */
export class SoakSampler {
  readonly samples: SoakSample[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly began = Date.now();
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly muster: Installation,
    everyMs: number,
  ) {
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look());
    }, everyMs);
  }

  async stop(): Promise<readonly SoakSample[]> {
    clearInterval(this.timer);
    await this.looking;
    return this.samples;
  }

  private async look(): Promise<void> {
    const sample = await sampleOf(this.muster, Date.now() - this.began);
    this.samples.push(sample);
  }
}

export async function sampleOf(muster: Installation, atMs: number): Promise<SoakSample> {
  const { pid } = muster.server.process;
  const metrics = (await muster.people('GET', '/metrics', { token: '' })).bytes.toString('utf8');
  const value = (name: string) => Number(new RegExp(`^muster_nodejs_${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? NaN);
  return {
    atMs,
    rssMiB: Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024,
    heapMiB: (value('heap_size_used_bytes') + value('external_memory_bytes')) / MIB,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    handles: value('active_handles_total'),
    lag: await lagOf(muster),
  };
}

export async function lagOf(muster: Installation): Promise<number> {
  const { items } = await muster.ok<{ items: { lagEvents: number }[] }>('GET', '/v1/projections');
  return items.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
}

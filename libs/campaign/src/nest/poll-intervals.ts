import { performance } from 'node:perf_hooks';
import { Inject, Injectable } from '@nestjs/common';
import { nextStretch } from '../intervals.js';
import { CAMPAIGN_OPTIONS, type CampaignOptions, DEFAULT_INTERVAL_SECONDS } from './options.js';

const LOOK_MS = 10_000;

/** The interval that is asked for now: the operator's, stretched while this process is too busy. */
@Injectable()
export class PollIntervals {
  private readonly baseSeconds: number;
  private stretch = 1;
  private seen = performance.eventLoopUtilization();
  private lookedAt = performance.now();

  constructor(@Inject(CAMPAIGN_OPTIONS) { pollIntervalSeconds }: CampaignOptions) {
    this.baseSeconds = pollIntervalSeconds ?? DEFAULT_INTERVAL_SECONDS;
  }

  seconds(): number {
    const now = performance.now();
    const elapsedMs = now - this.lookedAt;
    if (elapsedMs >= LOOK_MS) {
      const { utilization: utilisation } = performance.eventLoopUtilization(this.seen);
      this.stretch = nextStretch(this.stretch, { utilisation, elapsedMs, intervalMs: this.baseSeconds * 1_000 });
      this.seen = performance.eventLoopUtilization();
      this.lookedAt = now;
    }
    return Math.round(this.baseSeconds * this.stretch);
  }
}

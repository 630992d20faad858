import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Clock, Log } from '#runtime/index.js';
import { CLOCK, countedGauge, LOG } from '#runtime/nest/runtime.module.js';
import { FirstChannel } from './first-channel.js';
import { RepositoryKeeper } from './repository-keeper.js';

const METRIC = 'muster_tuf_role_expiry_seconds';
const LOOK_MS = 600_000;
const WARN_MS = 86_400_000;

interface Expiry {
  labels: { tenant: string; channel: string; role: string };
  /** Milliseconds. */
  expiresAt: number;
}

/**
 * Watches how long the metadata of each channel is good for. What is signed offline nobody renews but a person, so who
 * looks at the log once a day hears of it from half of its life on.
 */
@Injectable()
export class RoleExpiry implements OnModuleInit {
  private readonly looked = new Map<string, number>();
  private readonly warned = new Map<string, number>();
  private readonly known = new Map<string, Expiry>();

  constructor(
    @Inject(FirstChannel) private readonly channels: FirstChannel,
    @Inject(RepositoryKeeper) private readonly keeper: RepositoryKeeper,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {}

  onModuleInit(): void {
    const help = 'Seconds until the first metadata of a role expires, over all channels; negative when it has.';
    // By role alone: tenants and channels have names that are nobody else's.
    countedGauge({ name: METRIC, help, labelNames: ['role'] }, (set) => {
      const first = new Map<string, number>();
      for (const { labels, expiresAt } of this.known.values())
        first.set(labels.role, Math.min(expiresAt, first.get(labels.role) ?? Infinity));
      for (const [role, expiresAt] of first) set({ role }, (expiresAt - this.clock.now()) / 1_000);
    });
  }

  async tick(tenant: string): Promise<void> {
    const now = this.clock.now();
    if (Math.abs(now - (this.looked.get(tenant) ?? -Infinity)) < LOOK_MS) return;
    for (const channel of await this.channels.names(tenant))
      for (const { role, expiresAt, online, due } of await this.keeper.status(tenant, channel)) {
        if (expiresAt === null) continue;
        const labels = { tenant, channel, role };
        this.known.set(`${tenant}/${channel}/${role}`, { labels, expiresAt: Date.parse(expiresAt) });
        if (due && !online) this.warnOnceADay(labels, expiresAt, now);
      }
    this.looked.set(tenant, now);
  }

  private warnOnceADay(labels: Expiry['labels'], expiresAt: string, now: number): void {
    const key = `${labels.tenant}/${labels.channel}/${labels.role}`;
    if (now - (this.warned.get(key) ?? -Infinity) < WARN_MS) return;
    this.warned.set(key, now);
    this.log.warn('keys.due', {
      ...labels,
      expiresAt,
      renewBy: `muster keys rotate ${labels.role} --channel ${labels.channel}`,
    });
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';

/** Tenants for which something is to be told, and from when on: so that nobody has to ask for each of them all the time. */
@Injectable()
export class DueTenants {
  private readonly due = new Map<string, number>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** @param at ms; now when left out */
  add(tenant: string, at: number = this.clock.now()): void {
    this.due.set(tenant, Math.min(at, this.due.get(tenant) ?? Infinity));
  }

  /** Those that are due, which are forgotten by that. */
  take(): string[] {
    const now = this.clock.now();
    const taken = [...this.due].filter(([, at]) => at <= now).map(([tenant]) => tenant);
    for (const tenant of taken) this.due.delete(tenant);
    return taken;
  }
}

import { Controller, Get, Header, HttpCode, Inject, type OnModuleInit, Optional, Res } from '@nestjs/common';
import { ApiProduces } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { register } from 'prom-client';
import { countedGauge } from './counted-gauge.js';
import { ABOUT, READINESS_CHECKS } from './tokens.js';

/** One thing that must work before traffic is welcome. Rejects with a reason that may be shown to anyone. */
export interface ReadinessCheck {
  name: string;
  check(): Promise<void>;
}

export interface About {
  name: string;
  version: string;
}

export interface Readiness {
  ready: boolean;
  checks: { name: string; ok: boolean; reason?: string }[];
}

/** Shorter than what a gauge may take, so that a check without an answer is told as failed. */
const CHECK_TIMEOUT_MS = 1_500;

/** For those who operate the process: is it alive, is it ready, what does it count, what is it. */
@Controller()
export class HealthController implements OnModuleInit {
  private counting: Promise<string> | undefined;

  constructor(
    @Inject(ABOUT) private readonly about: About,
    @Optional() @Inject(READINESS_CHECKS) private readonly checks: ReadinessCheck[] = [],
  ) {}

  onModuleInit(): void {
    const help = 'Whether what the process needs works (1) or not (0), as /readyz says.';
    countedGauge({ name: 'muster_ready', help, labelNames: ['check'] }, async (set) => {
      for (const { name: check, ok } of await Promise.all(this.checks.map(outcomeOf))) set({ check }, ok ? 1 : 0);
    });
  }

  /** Answers while the process runs. */
  @Get('livez')
  livez(): { alive: true } {
    return { alive: true };
  }

  /** 200 when everything that the process needs works, otherwise 503 with what does not. */
  @Get('readyz')
  @HttpCode(200)
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const checks = await Promise.all(this.checks.map(outcomeOf));
    const ready = checks.every(({ ok }) => ok);
    void reply.status(ready ? 200 : 503);
    return { ready, checks };
  }

  /** Counters in Prometheus' text format. */
  @Get('metrics')
  @ApiProduces('text/plain')
  @Header('content-type', register.contentType)
  metrics(): Promise<string> {
    // Some are counted in the database when asked for, and nobody is asked who they are: many who ask at once share one count.
    this.counting ??= register.metrics().finally(() => (this.counting = undefined));
    return this.counting;
  }

  /** Name and version of the software. */
  @Get('version')
  version(): About {
    return this.about;
  }
}

async function outcomeOf(wanted: ReadinessCheck): Promise<Readiness['checks'][number]> {
  const { name } = wanted;
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([wanted.check(), tooLong]);
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

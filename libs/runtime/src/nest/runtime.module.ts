import { randomBytes } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { AnswerHeaders } from './answer-headers.interceptor.js';
import { Cursors } from './cursors.js';
import { DryRun } from './dry-run.interceptor.js';
import { type About, HealthController } from './health.controller.js';
import { Idempotency } from './idempotency.interceptor.js';
import { ProblemFilter } from './problem.filter.js';
import { ShortCuts } from './short-cut.js';
import { ABOUT, CLOCK, LOG } from './tokens.js';
import { validationPipe } from './validation.js';

export { ConfigError, Env, loadConfig } from '../config.js';
export { brokersOf, LogConfig } from './log.config.js';
export { DATABASE_URL, PeoplePortConfig, PortsConfig } from './ports.config.js';
export { type Problem, problemOf, registerChallenge, registerStatus, statusOf } from '../problem.js';
export { type Trace, traceOf } from '../trace.js';
export { countedGauge } from './counted-gauge.js';
export { type CursorKey, Cursors } from './cursors.js';
export type { About, ReadinessCheck, Readiness } from './health.controller.js';
export {
  type Claim,
  idempotencyKey,
  type IdempotencyScope,
  type IdempotencyStore,
  type StoredAnswer,
} from './idempotency.interceptor.js';
export { type Page, PageQuery } from './page.dto.js';
export { RequestEnded } from './request-ended.js';
export { etagOf, IfMatch, PreconditionError, requireVersion } from './preconditions.js';
export { asProblem, registerProblemForm, sendProblem } from './problem.filter.js';
export { createServer, type ListenOptions, type MusterServer, type TlsIdentity } from './server.js';
export { requestTimes } from './http-metrics.js';
export { type ShortCut, ShortCuts } from './short-cut.js';
export { SupportsAsOf, supportsAsOf } from './as-of.js';
export { BodyLimit, MayBeEmpty, NeverDry, RouteSetting, StreamsBody } from './route-settings.js';
export { StaticPages } from './static-pages.js';
export { CLOCK, IDEMPOTENCY_STORE, LOG, READINESS_CHECKS } from './tokens.js';
export { MayBeAbsent } from './validation.js';

export interface RuntimeOptions {
  clock: Clock;
  log: Log;
  /** Shown by `/version`. */
  about?: About;
  /** Signs cursors. Without one a random key: cursors then end with the process. */
  cursorKey?: Uint8Array;
}

/** What every route has: problems, validation, preconditions, cursors, idempotency, health. */
@Module({})
export class RuntimeModule {
  static forRoot({ clock, log, about = { name: 'muster', version: '0' }, cursorKey }: RuntimeOptions): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      controllers: [HealthController],
      providers: [
        { provide: CLOCK, useValue: clock },
        { provide: LOG, useValue: log },
        { provide: ABOUT, useValue: about },
        { provide: Cursors, useValue: new Cursors(cursorKey ?? randomBytes(32)) },
        ShortCuts,
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
        { provide: APP_INTERCEPTOR, useClass: AnswerHeaders },
        { provide: APP_INTERCEPTOR, useClass: Idempotency },
        { provide: APP_INTERCEPTOR, useClass: DryRun },
      ],
      exports: [CLOCK, LOG, ABOUT, Cursors, ShortCuts],
    };
  }
}

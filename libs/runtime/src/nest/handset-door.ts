import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Counter, register } from 'prom-client';
import { Admission, TICK_MS } from '../admission.js';
import type { Log } from '../log.js';
import { PROBLEM_TYPE } from '../problem.js';

const NAME = 'muster_handset_sent_away_total';

/**
 * Where a handset's visit begins. What follows from a visit that was let in is served: half of it would be work for nothing.
 * The text of the CA comes before an enrolment, costs next to nothing, and may be left out by who has it: no entrance.
 */
const ENTRANCE = /\/timestamp\.json(\?|$)|^\/enrol\/(?!v1\/ca(\?|$))|^\/[^/]+\/controller\/v1\/[^/?]+(\?|$)/;

// Without a trace: a surge writes one line when it begins and one when it ends, none for a request.
const BODY = Buffer.from(
  JSON.stringify({
    type: '/problems/service.unavailable',
    title: 'Service unavailable',
    status: 503,
    code: 'service.unavailable',
    detail: 'too many at once: come again after Retry-After',
  }),
);

/** Stands before the handset's port and sends away in a surge, each with an appointment, before anything is looked up. */
export class HandsetDoor {
  private readonly admission: Admission;
  private readonly sentAway: Counter;
  private readonly timer: NodeJS.Timeout;
  private inSurge = 0;
  private isClosed = false;

  constructor(
    private readonly log: Log,
    leastPerSecond = 50,
  ) {
    this.admission = new Admission(leastPerSecond);
    this.sentAway =
      (register.getSingleMetric(NAME) as Counter | undefined) ??
      new Counter({ name: NAME, help: 'Polls and enrolments that were answered 503 with Retry-After in a surge.' });
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  before(handler: RequestListener): RequestListener {
    return (request, response) => {
      const isHeld = !this.isClosed && ENTRANCE.test(request.url ?? '');
      const seconds = isHeld ? this.admission.ask(performance.now()) : undefined;
      if (seconds === undefined) handler(request, response);
      else this.sendAway(request, response, seconds);
    };
  }

  /** Lets everybody through from now on: without its ticks it would take the end of a process for a standstill. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
  }

  /** The connection goes, too: its handset comes back later than an idle one is kept. */
  private sendAway(request: IncomingMessage, response: ServerResponse, seconds: number): void {
    if (this.inSurge === 0) this.begun();
    this.inSurge += 1;
    this.sentAway.inc();
    request.resume();
    response
      .writeHead(503, {
        'retry-after': String(seconds),
        'content-type': PROBLEM_TYPE,
        'content-length': BODY.length,
        connection: 'close',
      })
      .end(BODY);
  }

  private begun(): void {
    const { usualPerSecond, limitPerSecond = 0 } = this.admission;
    const rates = { usualPerSecond: Math.round(usualPerSecond * 10) / 10, limitPerSecond: Math.round(limitPerSecond) };
    this.log.warn('handsets.surge', rates);
  }

  private tick(): void {
    this.admission.tick(performance.now());
    if (this.inSurge === 0 || this.admission.limitPerSecond !== undefined) return;
    this.log.info('handsets.surge-over', { sentAway: this.inSurge });
    this.inSurge = 0;
  }
}

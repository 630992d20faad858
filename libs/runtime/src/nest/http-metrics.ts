import type { FastifyInstance, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Histogram, register } from 'prom-client';

const NAME = 'muster_http_request_seconds';

type Label = 'port' | 'method' | 'route' | 'status';

/** One for the process, whichever server of it asks first. */
const requestSeconds = (): Histogram<Label> =>
  (register.getSingleMetric(NAME) as Histogram<Label> | undefined) ??
  new Histogram({
    name: NAME,
    help: 'Time from the request line to the last byte of the answer.',
    labelNames: ['port', 'method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
  });

/** Counts and times requests by port, route pattern and status; never by an id. */
export function countRequests(fastify: FastifyInstance, portOf: (request: FastifyRequest) => string): void {
  if (register.getSingleMetric(NAME) === undefined) collectDefaultMetrics({ prefix: 'muster_' });
  const seconds = requestSeconds();
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    seconds.observe(
      { port: portOf(request), method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1_000,
    );
    done();
  });
}

/** Counts and times, in milliseconds, what is answered before Fastify would. */
export function requestTimes(labels: Record<Label, string>): (elapsedMs: number) => void {
  const one = requestSeconds().labels(labels);
  return (elapsedMs) => one.observe(elapsedMs / 1_000);
}

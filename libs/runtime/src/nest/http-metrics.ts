import type { FastifyInstance, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Histogram, register } from 'prom-client';

const NAME = 'muster_http_request_seconds';

/** Counts and times requests by port, route pattern and status; never by an id. */
export function countRequests(fastify: FastifyInstance, portOf: (request: FastifyRequest) => string): void {
  if (register.getSingleMetric(NAME) === undefined) collectDefaultMetrics({ prefix: 'muster_' });
  const seconds =
    (register.getSingleMetric(NAME) as Histogram<'port' | 'method' | 'route' | 'status'> | undefined) ??
    new Histogram({
      name: NAME,
      help: 'Time from the request line to the last byte of the answer.',
      labelNames: ['port', 'method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    });
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    seconds.observe(
      { port: portOf(request), method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1_000,
    );
    done();
  });
}

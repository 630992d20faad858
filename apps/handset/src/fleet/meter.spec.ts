import { expect, it } from 'vitest';
import { Meter } from './meter.js';

it('counts each poll in its second and in the whole, and waits from the time of the arrival', () => {
  const meter = new Meter();
  meter.begin(0);
  meter.begin(250);
  meter.begin();
  meter.end('answered', 10);
  meter.end('sentAway', 1);
  expect(meter.nextSecond()).toMatchObject({
    arrivals: 3,
    inFlight: 1,
    answered: 1,
    sentAway: 1,
    failures: 0,
    late: 1,
    p50Ms: 10,
  });
  meter.end('failed', 30_000, 'transport.too-slow');
  expect(meter.nextSecond()).toMatchObject({ arrivals: 0, inFlight: 0, answered: 0, failures: 1, late: 0, p50Ms: 0 });
  expect(meter.total()).toMatchObject({ arrivals: 3, answered: 1, sentAway: 1, failures: 1, late: 1, p50Ms: 10 });
  expect(Object.fromEntries(meter.failures)).toEqual({ 'transport.too-slow': 1 });
});

import { describe, expect, it } from 'vitest';
import { shuffled } from './schemathesis.js';

const routes = Array.from({ length: 40 }, (_, n) => `/v1/route-${n}`);
const document = { openapi: '3.1.0', paths: Object.fromEntries(routes.map((route) => [route, { get: { route } }])) };

describe('the document that is shown', () => {
  it('has the same routes in one order a seed, and in another for another seed', () => {
    const [first, again, other] = ['1', '1', '2'].map((seed) => shuffled(document, seed));
    expect(first).toEqual(document);
    expect(Object.keys(first!.paths)).toEqual(Object.keys(again!.paths));
    expect(Object.keys(first!.paths)).not.toEqual(Object.keys(other!.paths));
    expect(Object.keys(first!.paths)).not.toEqual(routes);
  });

  it('begins with any route by some seed', () => {
    const begun = new Set(Array.from({ length: 400 }, (_, n) => Object.keys(shuffled(document, String(n)).paths)[0]));
    expect(begun.size).toBe(routes.length);
  });
});

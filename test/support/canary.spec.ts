import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { findCanaries, numberCanary, textCanary } from './canary.js';

describe('canary scan', () => {
  const canary = textCanary('model-');
  const escaped = [...canary].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const hiding: Record<string, Buffer> = {
    plain: Buffer.from(`{"model":"${canary}"}`),
    hex: Buffer.from(Buffer.from(canary).toString('hex')),
    'JSON-escaped': Buffer.from(`{"model":"${escaped}"}`),
    gzip: gzipSync(`a body with ${canary}`),
    brotli: brotliCompressSync(`a body with ${canary}`),
    'base64 of gzip': Buffer.from(`{"c":"${gzipSync(canary).toString('base64')}"}`),
    ...Object.fromEntries(
      [0, 1, 2, 3].map((n) => [
        `base64 after ${n} bytes`,
        Buffer.from(Buffer.from('x'.repeat(n) + canary + 'tail').toString('base64')),
      ]),
    ),
  };
  for (const [form, bytes] of Object.entries(hiding)) {
    it(`finds a value as ${form}`, () => expect(findCanaries(bytes, [canary])).toEqual([canary]));
  }

  it('finds a number', () => {
    const number = numberCanary();
    expect(findCanaries(Buffer.from(`{"free":${number}}`), [number])).toEqual([String(number)]);
  });

  it('finds nothing where nothing is', () => {
    expect(findCanaries(Buffer.from('{"model":"another"}'), [canary, numberCanary()])).toEqual([]);
  });
});

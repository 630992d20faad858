import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkTarget, TargetCheck } from './target-check.js';

const bytes = Buffer.from('target file contents');
const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex');
const target = { path: 'a', length: bytes.length, hashes: { sha256: digest('sha256'), sha512: digest('sha512') } };
const refusal = (code: string) =>
  expect.objectContaining({ code, details: expect.objectContaining({ path: 'a' }) as unknown }) as Error;

describe('target check', () => {
  it('takes the announced bytes in whatever pieces they come', () => {
    for (let size = 1; size <= bytes.length; size++) {
      const check = new TargetCheck(target);
      for (let at = 0; at < bytes.length; at += size) check.update(bytes.subarray(at, at + size));
      expect(() => check.end()).not.toThrow();
    }
  });

  it('stops at the first byte too many with tuf.length-mismatch', () => {
    const check = new TargetCheck(target);
    check.update(bytes);
    expect(() => check.update(Buffer.of(0))).toThrow(refusal('tuf.length-mismatch'));
  });

  it('refuses bytes that are missing with tuf.length-mismatch', () => {
    expect(() => checkTarget(target, bytes.subarray(1))).toThrow(refusal('tuf.length-mismatch'));
  });

  it('refuses other bytes of that length with tuf.hash-mismatch, whichever digest they miss', () => {
    expect(() => checkTarget(target, Buffer.alloc(bytes.length))).toThrow(refusal('tuf.hash-mismatch'));
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const hashes = { ...target.hashes, [algorithm]: '0'.repeat(digest(algorithm).length) };
      expect(() => checkTarget({ ...target, hashes }, bytes)).toThrow(refusal('tuf.hash-mismatch'));
    }
  });

  it.each(['md5', 'unknown', 'constructor'])('refuses a digest by %s with tuf.hash-mismatch', (algorithm) => {
    expect(() => new TargetCheck({ ...target, hashes: { [algorithm]: 'ab' } })).toThrow(refusal('tuf.hash-mismatch'));
  });
});

import { createHash, type Hash } from 'node:crypto';
import { TufError } from './errors.js';
import { type TargetFile } from './metadata.js';

/**
 * Checks a target's bytes as they come (5.7.3): stops at the first byte too many, so that an endless answer costs no more
 * than the announced length. Feed every byte in order, those of an earlier part of a resumed transfer too.
 */
export class TargetCheck {
  readonly #hashes: [algorithm: string, expected: string, hash: Hash][];
  #length = 0;

  /** @throws TufError `tuf.hash-mismatch` for an algorithm other than sha256 and sha512 */
  constructor(private readonly target: Pick<TargetFile, 'path' | 'length' | 'hashes'>) {
    this.#hashes = Object.entries(target.hashes).map(([algorithm, expected]) => {
      if (algorithm !== 'sha256' && algorithm !== 'sha512') throw this.#mismatch(algorithm);
      return [algorithm, expected.toLowerCase(), createHash(algorithm)];
    });
  }

  /** @throws TufError `tuf.length-mismatch` */
  update(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > this.target.length) throw this.#wrongLength();
    for (const [, , hash] of this.#hashes) hash.update(chunk);
  }

  /** All bytes have come. @throws TufError `tuf.length-mismatch`, `tuf.hash-mismatch` */
  end(): void {
    if (this.#length !== this.target.length) throw this.#wrongLength();
    for (const [algorithm, expected, hash] of this.#hashes)
      if (hash.digest('hex') !== expected) throw this.#mismatch(algorithm);
  }

  #wrongLength(): TufError {
    const { path, length } = this.target;
    return new TufError('tuf.length-mismatch', { path, expected: length, length: this.#length });
  }

  #mismatch(algorithm: string): TufError {
    return new TufError('tuf.hash-mismatch', { path: this.target.path, algorithm });
  }
}

/** Checks a target's bytes at once. @throws TufError `tuf.length-mismatch`, `tuf.hash-mismatch` */
export function checkTarget(target: Pick<TargetFile, 'path' | 'length' | 'hashes'>, bytes: Uint8Array): void {
  const check = new TargetCheck(target);
  check.update(bytes);
  check.end();
}

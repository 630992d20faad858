import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../range.js';
import { CHUNK, nextChunk } from '../pace.js';

/** A file, or a part of it, read at the pace of whoever takes it: one chunk ahead, large for the fast, small for the slow. */
export class PacedFile extends Readable {
  private file: FileHandle | undefined;
  /** The next byte that is read: what was sent ends there, or before. */
  at: number;
  private chunk: number = CHUNK.least;
  private readAt = 0;
  private reads = 0;

  constructor(
    private readonly path: string,
    private readonly range: ByteRange | undefined,
  ) {
    super({ highWaterMark: 1 }); // so that no more is read before what was read is taken
    this.at = range?.first ?? 0;
  }

  override _construct(done: (error?: Error | null) => void): void {
    open(this.path, 'r').then((file) => {
      this.file = file;
      done();
    }, done);
  }

  override _read(): void {
    // The second is asked for at once, whatever the reader does: from then on one part waits to be taken.
    if (this.reads > 1) this.chunk = nextChunk(this.chunk, performance.now() - this.readAt);
    this.reads += 1;
    const wanted = Math.min(this.chunk, (this.range?.last ?? Infinity) + 1 - this.at);
    if (wanted <= 0) {
      this.push(null);
      return;
    }
    const buffer = Buffer.allocUnsafeSlow(wanted);
    this.file!.read(buffer, 0, wanted, this.at).then(
      ({ bytesRead }) => {
        this.at += bytesRead;
        this.readAt = performance.now();
        this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead));
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.file === undefined) done(error);
    else
      this.file.close().then(
        () => done(error),
        (closing: Error) => done(error ?? closing),
      );
  }
}

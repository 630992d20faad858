import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';

/** What a process does beside its requests, from the start of the application until its shutdown, which waits for it. */
export abstract class BackgroundLoop implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<void> = Promise.resolve();

  onApplicationBootstrap(): void {
    this.running = this.run(this.stop.signal);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  /** Ends when aborted, and never rejects. */
  protected abstract run(signal: AbortSignal): Promise<void>;
}

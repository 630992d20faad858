import type { Upload } from 'tus-js-client';
import { CSRF } from '../api/client.js';
import { forgetFile, keepFile, keptFile } from './kept-files.js';
import { rateOf, type Speed, type UploadView, withSpeed } from './upload-progress.js';

const KEPT = 'muster-uploads';
/** Whatever cuts the line, the server's offset is the truth, and the upload goes on from there. */
const RETRY_MS = [0, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const PART_BYTES = 4_000_000;

type Listener = () => void;

/** The tab's uploads: they go on while pages change, and after a reload. */
class Uploads {
  private views: readonly UploadView[] = kept();
  private readonly running = new Map<string, Upload>();
  private readonly keeping = new Map<string, Promise<void>>();
  private readonly speeds = new Map<string, readonly Speed[]>();
  private readonly listeners = new Set<Listener>();

  readonly snapshot = (): readonly UploadView[] => this.views;

  readonly subscribe = (listener: Listener): Listener => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  rate(id: string): number | undefined {
    return rateOf(this.speeds.get(id) ?? []);
  }

  /** After a reload: what was running goes on by itself where the browser has kept the file. */
  async wake(): Promise<void> {
    for (const { id, state } of this.views) if (state === 'running' && !this.running.has(id)) await this.resume(id);
  }

  async add(file: File): Promise<void> {
    const id = crypto.randomUUID();
    const view: UploadView = {
      id,
      name: file.name,
      size: file.size,
      sent: 0,
      state: 'running',
      url: null,
      error: null,
      isKept: false,
    };
    this.set([...this.views, view]);
    this.keeping.set(
      id,
      keepFile(id, file).then((isKept) => this.change(id, { isKept })),
    );
    await this.send(view, file);
  }

  async resume(id: string, again?: File): Promise<void> {
    const view = this.views.find((each) => each.id === id);
    if (view === undefined) return;
    const file = again ?? (await keptFile(id));
    if (file === undefined || file.size !== view.size) return this.change(id, { state: 'asleep' });
    this.change(id, { state: 'running', error: null });
    await this.send(view, file);
  }

  async pause(id: string): Promise<void> {
    await this.running.get(id)?.abort();
    this.running.delete(id);
    this.change(id, { state: 'paused' });
  }

  /** Gives it up, here and on the server. */
  async cancel(id: string): Promise<void> {
    const { url } = this.views.find((each) => each.id === id) ?? {};
    await this.running.get(id)?.abort();
    if (url != null)
      await fetch(url, { method: 'DELETE', headers: TUS_HEADERS, credentials: 'same-origin' }).catch(() => undefined);
    this.forget(id);
  }

  /** It became a content, or nobody wants it any more. */
  forget(id: string): void {
    this.running.delete(id);
    this.speeds.delete(id);
    void this.dropFile(id);
    this.set(this.views.filter((each) => each.id !== id));
  }

  private async send({ id, url, name }: UploadView, file: File): Promise<void> {
    const { Upload } = await import('tus-js-client');
    const upload: Upload = new Upload(file, {
      endpoint: '/v1/uploads',
      uploadUrl: url,
      headers: { ...CSRF, 'idempotency-key': id },
      metadata: { filename: name },
      retryDelays: RETRY_MS,
      chunkSize: PART_BYTES,
      storeFingerprintForResuming: false, // it is kept here, with what the page shows
      onUploadUrlAvailable: () => this.change(id, { url: upload.url }),
      onProgress: (sent) => {
        this.speeds.set(id, withSpeed(this.speeds.get(id) ?? [], { at: Date.now(), sent }));
        this.change(id, { sent });
      },
      onError: (error) => this.change(id, { state: 'failed', error: error.message }),
      onSuccess: () => {
        this.running.delete(id);
        void this.dropFile(id);
        this.change(id, { state: 'done', sent: file.size });
      },
    });
    this.running.set(id, upload);
    upload.start();
  }

  /** What is still being kept would stay behind for ever. */
  private async dropFile(id: string): Promise<void> {
    await this.keeping.get(id);
    this.keeping.delete(id);
    await forgetFile(id);
  }

  private change(id: string, change: Partial<UploadView>): void {
    this.set(this.views.map((view) => (view.id === id ? { ...view, ...change } : view)));
  }

  private set(views: readonly UploadView[]): void {
    this.views = views;
    localStorage.setItem(KEPT, JSON.stringify(views));
    for (const listener of this.listeners) listener();
  }
}

const TUS_HEADERS = { ...CSRF, 'tus-resumable': '1.0.0' };

function kept(): UploadView[] {
  try {
    const views: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(views) ? (views as UploadView[]) : [];
  } catch {
    return []; // written by something else
  }
}

export const uploads = new Uploads();

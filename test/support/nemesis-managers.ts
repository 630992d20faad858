import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Asking, GROUPS, type NemesisInstallation } from './nemesis-installation.js';

/** A command that was answered with success: what the log must hold of it, once. */
export interface Acknowledged {
  event: string;
  /** Id of the campaign or content. */
  subject: string;
}

/** What is certain to be done one day. */
const RETRY_MS = 500;
const PAUSE_MS = 1_200;
/** Campaigns that a manager leaves running: what the fleet is to end with. */
const RUNNING = 3;
const CONTENT_EVERY = 4;

/** People who publish contents and steer campaigns, each repeating a command under its key until it is answered. */
export class Managers {
  readonly acknowledged: Acknowledged[] = [];
  /** Answers that no repetition can change: mistakes. */
  readonly refused: string[] = [];
  /** Campaigns that run, with the content's name and the group that it is for. */
  readonly running: { campaignId: string; contentId: string; group: number }[] = [];
  private readonly stopped = new AbortController();
  private readonly left = new AbortController();
  private all: Promise<unknown> = Promise.resolve();

  constructor(private readonly muster: NemesisInstallation) {}

  run(count: number): void {
    this.all = Promise.all(Array.from({ length: count }, (_, who) => this.manage(who)));
  }

  /** Resolves when what was begun is answered. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.all;
  }

  /** Gives up what is not answered yet: after a failure nobody may ever answer it. */
  leave(): void {
    this.stopped.abort();
    this.left.abort();
    void this.all.catch(() => undefined); // whoever waits for it is told by `stop`
  }

  private async manage(who: number): Promise<void> {
    const own: string[] = [];
    let content = { contentId: '', group: 0 };
    for (let n = 0; !this.stopped.signal.aborted; n += 1) {
      if (n % CONTENT_EVERY === 0)
        content = await this.publish(`content-${who}-${n}`, (who + n / CONTENT_EVERY) % GROUPS);
      const { contentId, group } = content;
      const campaignId = await this.draft(`campaign ${who}/${n}`, contentId);
      await this.change(campaignId, 'schedule', 'CampaignScheduled');
      await this.rest();
      await this.change(campaignId, 'pause', 'CampaignPaused', { kind: 'soft', reason: 'a look' });
      await this.rest();
      await this.change(campaignId, 'resume', 'CampaignResumed');
      if (n % 3 === 2) {
        await this.change(campaignId, 'abort', 'CampaignAborted', { disposition: 'keep', reason: 'a mistake' });
        continue;
      }
      own.push(campaignId);
      this.running.push({ campaignId, contentId, group });
      if (own.length > RUNNING) await this.complete(own.shift()!);
    }
  }

  private async complete(campaignId: string): Promise<void> {
    const at = this.running.findIndex((each) => each.campaignId === campaignId);
    this.running.splice(at, 1); // not what the fleet ends with, whether or not the answer comes
    await this.change(campaignId, 'complete', 'CampaignEnded', { reason: 'done' }); // complete when nothing is under way
  }

  private rest(): Promise<void> {
    return sleep(PAUSE_MS, undefined, { signal: this.stopped.signal }).catch(() => undefined); // the rest is done at once
  }

  private async publish(name: string, group: number): Promise<{ contentId: string; group: number }> {
    const bytes = Buffer.from(`${name} `.repeat(200));
    const uploadId = await this.upload(bytes);
    const body = { uploadId, description: { name, version: '1' }, selector: `device.group == ${group}` };
    const { contentId } = await this.untilAnswered<{ contentId: string }>('/v1/contents', { body });
    this.acknowledged.push({ event: 'ContentPublished', subject: contentId });
    return { contentId, group };
  }

  /** An upload has no key: one that was cut off is left lying, and begun anew. */
  private async upload(bytes: Buffer): Promise<string> {
    for (;;) {
      const tus = { 'tus-resumable': '1.0.0' };
      const created = await this.tried<{ location: string }>('POST', '/v1/uploads', {
        headers: { ...tus, 'upload-length': String(bytes.length) },
      });
      const location = created?.status === 201 ? created.body.location : undefined;
      const type = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' };
      const put = location && (await this.tried('PATCH', location, { body: bytes, headers: { ...tus, ...type } }));
      if (location && put && put.status === 204) return location.split('/').at(-1)!;
      await this.pause(RETRY_MS);
    }
  }

  private async draft(name: string, contentId: string): Promise<string> {
    const body = { name, contents: [contentId] };
    const { campaignId } = await this.untilAnswered<{ campaignId: string }>('/v1/campaigns', { body });
    this.acknowledged.push({ event: 'CampaignDrafted', subject: campaignId });
    return campaignId;
  }

  private async change(campaignId: string, verb: string, event: string, body: object = {}): Promise<void> {
    await this.untilAnswered(`/v1/campaigns/${campaignId}/${verb}`, { body, headers: { 'if-match': '*' } });
    this.acknowledged.push({ event, subject: campaignId });
  }

  /** A server that is away, busy, or still at the first try of this very command, is asked again. */
  private async untilAnswered<T>(url: string, { body, headers }: Asking): Promise<T> {
    const key = { 'idempotency-key': randomUUID() };
    for (;;) {
      const answer = await this.tried<T & { code?: string }>('POST', url, { body, headers: { ...headers, ...key } });
      if (answer !== undefined && answer.status < 300) return answer.body;
      const { status = 503, body: said } = answer ?? {};
      const heals = status >= 500 || status === 429 || said?.code === 'idempotency.in-flight';
      if (!heals) this.refused.push(`POST ${url}: ${status} ${JSON.stringify(said)}`);
      await this.pause(heals ? RETRY_MS : 10 * RETRY_MS);
    }
  }

  private pause(milliseconds: number): Promise<void> {
    return sleep(milliseconds, undefined, { signal: this.left.signal });
  }

  private tried<T>(method: string, url: string, asking: Asking) {
    return this.muster.ask<T>(method, url, asking).catch(() => undefined); // no answer: whatever it did is open
  }
}

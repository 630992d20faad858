import { randomUUID } from 'node:crypto';
import type { FaultyInstallation } from './faulty.js';

/** Names of campaigns that were answered with 201, and how every other answer read. */
export class Writers {
  readonly acknowledged: string[] = [];
  readonly refused = new Map<string, number>();
  /** When the last success came, and the longest time without one. */
  private lastAt = Date.now();
  longestGapMs = 0;
  /** How long each answer took. */
  readonly tookMs: number[] = [];

  constructor(
    private readonly muster: FaultyInstallation,
    private readonly contentId: string,
  ) {}

  async draft(name: string): Promise<void> {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { name, contents: [this.contentId] };
    const askedAt = performance.now();
    const answer = await this.muster.people('POST', '/v1/campaigns', { body, headers });
    this.tookMs.push(performance.now() - askedAt);
    if (answer.status === 201) {
      this.acknowledged.push(name);
      this.longestGapMs = Math.max(this.longestGapMs, Date.now() - this.lastAt);
      this.lastAt = Date.now();
      return;
    }
    const { code } = answer.body as { code: string };
    const how = `${answer.status} ${code}${answer.headers['retry-after'] === undefined ? '' : ' with retry-after'}`;
    this.refused.set(how, (this.refused.get(how) ?? 0) + 1);
  }

  /** `count` clients, one request after the other each, until told to stop. */
  run(prefix: string, count: number): () => Promise<void> {
    let isStopped = false;
    const client = async (who: number) => {
      for (let n = 0; !isStopped; n += 1) {
        const before = this.acknowledged.length;
        await this.draft(`${prefix} ${who}/${n}`);
        if (this.acknowledged.length === before) await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    const all = Promise.all(Array.from({ length: count }, (_, who) => client(who)));
    return async () => {
      isStopped = true;
      await all;
    };
  }

  /** How many campaigns the log holds of those that were acknowledged. */
  async found(): Promise<{ recovered: number; doubled: number }> {
    const rows = await this.muster.sql<{ name: string; n: string }>(
      `select data ->> 'name' as name, count(*) as n from log.record
       where topic = 'muster.campaign' and type like '%campaign-drafted%' and data ->> 'name' = any($1) group by 1`,
      [this.acknowledged],
    );
    return { recovered: rows.length, doubled: rows.filter(({ n }) => Number(n) > 1).length };
  }
}

import { expect } from 'vitest';
import type { FaultyInstallation } from './faulty.js';
import type { GivenKafka } from './given-kafka.js';
import type { Enrolled } from './installation.js';
import { eventually } from './processes.js';

interface Reporter {
  device: Enrolled;
  /** Of the fact that is being told. */
  n: number;
}

interface Found {
  recovered: number;
  doubled: number;
  repeats: number;
}

/** Handsets that tell one fact after the other, each again until it is acknowledged, as an agent's queue does. */
export class Reporters {
  /** `<device id> <n>` of facts that were answered with success. */
  readonly acknowledged: string[] = [];
  /** How every other answer read. */
  readonly refused = new Map<string, number>();

  private constructor(
    private readonly muster: FaultyInstallation,
    private readonly reporters: readonly Reporter[],
    readonly contentId: string,
    private readonly campaignId: string,
  ) {}

  /** Enrols handsets, and starts a campaign that their facts are about. */
  static async enrol(muster: FaultyInstallation, count: number, contentId: string): Promise<Reporters> {
    const campaignId = await muster.draft([contentId]);
    await muster.schedule(campaignId);
    const devices: Enrolled[] = [];
    for (let i = 0; i < count; i += 1) devices.push(await muster.enrol());
    await eventually('the campaign runs', async () => {
      const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`);
      return status === 'running' || undefined;
    });
    const made = new Reporters(
      muster,
      devices.map((device) => ({ device, n: 1 })),
      contentId,
      campaignId,
    );
    for (const reporter of made.reporters) await made.report(reporter);
    expect(made.acknowledged.length).toBe(count);
    return made;
  }

  /** Until told to stop; each ends with an acknowledged fact. */
  run(): () => Promise<void> {
    let isStopped = false;
    const handset = async (reporter: Reporter) => {
      for (let isHeld = true; !isStopped || !isHeld; ) {
        isHeld = await this.report(reporter);
        await new Promise((resolve) => setTimeout(resolve, isHeld ? 300 : 600));
      }
    };
    const all = Promise.all(this.reporters.map(handset));
    return async () => {
      isStopped = true;
      await all;
    };
  }

  /** One more fact of each, told until it is acknowledged. */
  async reportAll(): Promise<void> {
    await Promise.all(
      this.reporters.map(async (reporter) => {
        while (!(await this.report(reporter))) await new Promise((resolve) => setTimeout(resolve, 300));
      }),
    );
  }

  /**
   * What of it the log holds, and how many facts the read models have twice. A repeat in the log is no double: readers
   * drop it by its number.
   */
  async found(kafka: GivenKafka | undefined): Promise<Found> {
    const told = kafka === undefined ? await this.toldToPostgres() : await toldToKafka(kafka);
    const distinct = new Set(told);
    await this.muster.expectCaughtUp();
    const [lines] = await this.muster.sql<{ n: number }>(
      `select count(*)::int as n from proj.p_device_timeline_line_v1 where event = 'TransferStarted'
       and device_id = any($1)`,
      [this.reporters.map(({ device }) => device.deviceId)],
    );
    const own = [...distinct].filter((fact) => this.reporters.some(({ device }) => fact.startsWith(device.deviceId)));
    return {
      recovered: this.acknowledged.filter((fact) => distinct.has(fact)).length,
      doubled: (lines?.n ?? 0) - own.length,
      repeats: told.length - distinct.size,
    };
  }

  private async toldToPostgres(): Promise<string[]> {
    const rows = await this.muster.sql<{ fact: string }>(
      `select substr(seq_source, 8) || ' ' || seq_n as fact from log.record
       where topic = 'muster.device' and seq_source like 'device:%'`,
    );
    return rows.map(({ fact }) => fact);
  }

  private async report(reporter: Reporter): Promise<boolean> {
    const { device, n } = reporter;
    const data = { contentId: this.contentId, campaignId: this.campaignId };
    const seq = { epoch: device.epoch, n };
    const fact = { type: 'TransferStarted', data, occurredAt: new Date().toISOString(), seq };
    const answer = await this.muster
      .handset('POST', '/d/v1/facts', { device, body: { facts: [fact] } })
      .catch((error: Error & { code?: string }) => error);
    if (!('status' in answer)) return this.refuse(`no answer: ${answer.code ?? answer.message}`);
    if (answer.status === 200) {
      this.acknowledged.push(`${device.deviceId} ${n}`);
      reporter.n += 1;
      return true;
    }
    const { code } = answer.body as { code?: string };
    const how = `${answer.status} ${code}${answer.headers['retry-after'] === undefined ? '' : ' with retry-after'}`;
    return this.refuse(how);
  }

  private refuse(how: string): false {
    this.refused.set(how, (this.refused.get(how) ?? 0) + 1);
    return false;
  }
}

const toldToKafka = async (kafka: GivenKafka): Promise<string[]> =>
  (await kafka.recordsOf('muster.device'))
    .flat()
    .filter(({ headers }) => String(headers.ce_sequencesource).startsWith('device:'))
    .map(({ headers }) => `${String(headers.ce_sequencesource).slice(7)} ${String(headers.ce_sequence)}`);

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type FaultyInstallation, TEST_BUILD } from './faulty.js';
import { Handset } from './server.js';

export interface Agent {
  handset: Handset;
  deviceId: string;
}

export interface Recovery {
  polls: number;
  held: boolean;
  reports: number;
}

/** What a poll is given to do: this content, by a campaign that runs. */
export interface Errand {
  contentId: string;
  sha256: string;
}

const POLLS = 3;
const POLL = ['poll', '--reserve', '1024'] as const;

/** Agents as processes that poll once, and that a failpoint kills meanwhile. */
export class Agents {
  constructor(
    private readonly muster: FaultyInstallation,
    private readonly errand: Errand,
  ) {}

  async enrol(name: string): Promise<Agent> {
    const { muster } = this;
    const handset = new Handset(name, muster.folder.path, this.clock);
    const { code } = await muster.newCode();
    const server = `https://127.0.0.1:${muster.server.handsetPort}`;
    const said = await handset.text('enrol', server, '--ca', muster.caFingerprint, '--code', code);
    return { handset, deviceId: (JSON.parse(said) as { deviceId: string }).deviceId };
  }

  /** @returns whether it was killed */
  async pollWith({ handset }: Agent, failpoint: string): Promise<boolean> {
    const env = { ...TEST_BUILD, ...this.clock, MUSTER_FAILPOINT: failpoint };
    const faulty = new Handset(handset.name, this.muster.folder.path, env);
    return (await faulty.run(...POLL)).code === null;
  }

  /** Without the fault, until it holds the content and has reported it, three polls at most. */
  async recover({ handset, deviceId }: Agent): Promise<Recovery> {
    const { contentId, sha256 } = this.errand;
    const file = path.join(handset.folder, 'contents', contentId);
    const reports = async () => {
      const at = `/v1/events?topic=muster.device&subject=${deviceId}&type=InstallReported`;
      return (await this.muster.ok<{ items: unknown[] }>('GET', at)).items.length;
    };
    for (let polls = 1; ; polls += 1) {
      await handset.run(...POLL);
      const held = existsSync(file) && createHash('sha256').update(readFileSync(file)).digest('hex') === sha256;
      const outcome = { polls, held, reports: await reports() };
      if ((held && outcome.reports > 0) || polls === POLLS) return outcome;
    }
  }

  private get clock(): Record<string, string> {
    return { MUSTER_TEST_CLOCK: this.muster.server.clockFile };
  }
}

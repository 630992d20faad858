import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '#runtime/index.js';
import { type Agent } from './agent.js';
import { fileStore } from './file-store.js';
import { CAMPAIGN, MusterSimulator, offer } from './simulator.js';
import { fakeClock } from './test-server.js';
import { createAgent, enrolHandset } from './whole-agent.js';

const CONTENT = '01890a5d-ac96-774b-bcce-b302099a8003';
const APPLICATION = 'wallet';
const ONCE = ['TransferCompleted', 'InstallReported', 'ProcessingAcknowledged', 'OutcomeConfirmed'];

/** Changes nothing on the disk from the n-th step on, as if the process were gone; counts the steps. */
function dyingAt(n: number) {
  const steps = { passed: 0 };
  const onStep = () => {
    steps.passed += 1;
    if (steps.passed >= n) throw new Error('killed');
  };
  return { steps, onStep };
}

describe('an agent that is killed before any change of its disk', () => {
  const clock = fakeClock(Date.now());
  let folder: string;
  let muster: MusterSimulator;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'killed-agent-'));
    muster = await MusterSimulator.start(clock.now());
    muster.offerContent(CONTENT, randomBytes(1_000), [offer()], { applications: [APPLICATION] });
    muster.inbox = [
      { id: 'i1', kind: 'process', contentId: CONTENT, campaignId: CAMPAIGN, application: APPLICATION, order: 0 },
    ];
    muster.publish();
    const { origin: server, authority } = muster.server;
    const enrolment = { server, caFingerprint: authority.fingerprint, code: 'main.code' };
    await enrolHandset(fileStore(join(folder, 'enrolled')), enrolment, { clock, random: () => 1 });
  });
  afterAll(async () => {
    await muster.server.close();
    rmSync(folder, { recursive: true });
  });

  const open = (root: string, onStep: () => void): Agent =>
    createAgent({ store: fileStore(root, onStep), clock, random: () => 0.5, log: silentLog, zone: 'UTC' });

  async function pollOnce(root: string, onStep: () => void): Promise<void> {
    const agent = open(root, onStep);
    try {
      await agent.poll();
    } finally {
      await agent.close();
    }
  }

  /** @returns how many steps there were before the n-th, and what was told of it after the restart, each fact by its number once */
  async function killedAt(n: number): Promise<{ passed: number; told: string[] }> {
    const root = join(folder, `at-${n}`);
    cpSync(join(folder, 'enrolled'), root, { recursive: true });
    muster.facts.length = 0;
    const { steps, onStep } = dyingAt(n);
    await pollOnce(root, onStep).catch(() => undefined);
    const { passed } = steps;
    const agent = open(root, () => undefined);
    for (let polls = 0; polls < 2; polls += 1) await agent.poll();
    await agent.close();
    const facts = new Map(muster.facts.map(({ seq, type }) => [`${seq.epoch}/${seq.n}`, type]));
    return { passed, told: [...facts.values()] };
  }

  it('tells each outcome once, whichever change it was', async () => {
    const wrong: unknown[] = [];
    let n = 1;
    for (let isDead = true; isDead; n += 1) {
      const { passed, told } = await killedAt(n);
      isDead = passed >= n;
      const counts = ONCE.map((type) => told.filter((each) => each === type).length);
      if (counts.some((count) => count !== 1)) wrong.push({ n, counts });
    }
    expect(n).toBeGreaterThan(60);
    expect(wrong).toEqual([]);
  }, 120_000);
});

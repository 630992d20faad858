import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Fact, PostgresLog } from '#event-log/index.js';
import { newId, silentLog } from '#runtime/index.js';
import { type PackedPolls, type Poll, unpackPolls } from '../polls.js';
import { FactWriter } from './fact-writer.js';
import { PollRecorder } from './poll-recorder.js';

/** A log that takes its time, and refuses the first `refusals` appends. */
class SlowLog {
  readonly written: Fact[] = [];
  constructor(private refusals = 0) {}

  async appendFacts(_: string, facts: readonly Fact[]): Promise<void> {
    await sleep(900);
    this.refusals -= 1;
    if (this.refusals >= 0) throw new Error('away');
    this.written.push(...facts);
  }

  get polls(): number[] {
    return this.written.flatMap(({ event }) => unpackPolls(event.data as PackedPolls).map((poll) => poll.deviceNo));
  }
}

const device = { tenant: 'acme', channel: 'main', deviceId: newId(), deviceNo: 0, keyHash: '', epoch: 1 };
const poll = (deviceNo: number): Poll => {
  return { deviceNo, at: Date.now(), rule: 'boot;v=1', answer: 'sent', digest: 'a1b2c3d4e5f6' };
};

it.each([0, 1])('records each poll once while a slow log is busy and refuses %i appends', async (refusals) => {
  const log = new SlowLog(refusals);
  const recorder = new PollRecorder(new FactWriter(log as unknown as PostgresLog), silentLog);
  recorder.record(device, poll(1));
  await sleep(700); // the first flush is under way
  recorder.record(device, poll(2));
  await sleep(700);
  recorder.record(device, poll(3));
  await recorder.beforeApplicationShutdown();
  expect(log.polls.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
});

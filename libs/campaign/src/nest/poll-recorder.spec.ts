import { setTimeout as sleep } from 'node:timers/promises';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Fact, PostgresLog } from '#event-log/index.js';
import { type Log, newId, silentLog } from '#runtime/index.js';
import { type PackedPolls, type Poll, unpackPolls } from '../polls.js';
import { FactWriter } from './fact-writer.js';
import { PollRecorder } from './poll-recorder.js';

/** A log that takes its time, and refuses the first `refusals` appends. */
class SlowLog {
  readonly written: Fact[] = [];
  constructor(
    private refusals = 0,
    private readonly takesMs = 900,
  ) {}

  async appendFacts(_: string, facts: readonly Fact[]): Promise<void> {
    await sleep(this.takesMs);
    this.refusals -= 1;
    if (this.refusals >= 0) throw new Error('away');
    this.written.push(...facts);
  }

  get polls(): number[] {
    return this.written.flatMap(({ event }) => unpackPolls(event.data as PackedPolls).map((poll) => poll.deviceNo));
  }
}

const device = {
  tenant: 'acme',
  channel: 'main',
  deviceId: newId(),
  deviceNo: 0,
  keyHash: '',
  epoch: 1,
  keptVersion: 0,
};
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
  await recorder.onApplicationShutdown();
  expect(log.polls.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
});

describe('once stopped', () => {
  const lines: string[] = [];
  const note =
    (level: string): Log['warn'] =>
    (event, fields) =>
      void lines.push(`${level} ${event} ${String(fields?.polls)}`);
  const log: Log = { ...silentLog, warn: note('warn'), error: note('error') };
  const lost = async () => (await register.getSingleMetric('muster_polls_lost_total')!.get()).values[0]?.value;
  const recorderOn = (slow: SlowLog) => new PollRecorder(new FactWriter(slow as unknown as PostgresLog), log);

  beforeEach(() => {
    lines.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it('counts what the log refuses as lost, says so once, and leaves no timer', async () => {
    const recorder = recorderOn(new SlowLog(Infinity, 0));
    recorder.record(device, poll(1));
    recorder.record(device, poll(2));
    const stopped = recorder.onApplicationShutdown();
    await vi.advanceTimersByTimeAsync(1);
    await stopped;
    expect(vi.getTimerCount()).toBe(0);
    expect(lines).toEqual(['error polls.lost 2']);
    expect(await lost()).toBe(2);
  });

  it('counts a poll as lost that comes behind its last flush, and leaves no timer', async () => {
    const recorder = recorderOn(new SlowLog(0, 0));
    await recorder.onApplicationShutdown();
    recorder.record(device, poll(1));
    expect(vi.getTimerCount()).toBe(0);
    expect(await lost()).toBe(1);
  });
});

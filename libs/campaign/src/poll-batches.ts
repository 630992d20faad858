import type { DeviceFactByServer } from './events.js';
import { BATCH_LIMITS, packPolls, type Poll } from './polls.js';

type PollsRecorded = Extract<DeviceFactByServer, { type: 'PollsRecorded' }>;

interface OpenBatch {
  from: number;
  rules: Set<string>;
  polls: Poll[];
}

/** Packs the polls of one channel and partition, in the order they came, into as few events as the limits allow. */
export function batchPolls(partition: number, channel: string, polls: readonly Poll[]): PollsRecorded[] {
  const batches: OpenBatch[] = [];
  for (const poll of polls) {
    const open = batches.at(-1);
    const batch =
      open !== undefined && fits(open, poll) ? open : { from: poll.at, rules: new Set<string>(), polls: [] };
    if (batch !== open) batches.push(batch);
    batch.rules.add(poll.rule);
    batch.polls.push(poll);
  }
  return batches.map(({ from, polls: of }) => ({
    type: 'PollsRecorded',
    data: { partition, channel, ...packPolls(from, of) },
  }));
}

const fits = ({ from, rules, polls }: OpenBatch, { at, rule }: Poll): boolean =>
  polls.length < BATCH_LIMITS.polls &&
  (rules.has(rule) || rules.size < BATCH_LIMITS.rules) &&
  at >= from && // a clock that was set back starts a new batch
  at - from <= BATCH_LIMITS.spanMs;

import type { EventRecord } from './event-log.js';

/** One append as its caller saw it. Events are named, so that each can be looked for; instants are of one logical clock. */
export interface Write {
  names: readonly string[];
  invokedAt: number;
  endedAt: number;
  /** `unknown`: the answer was lost, so it may have happened. */
  outcome: 'ok' | 'refused' | 'unknown';
}

/**
 * What is wrong with a log, given all that was written to it: events acknowledged are in it once, refused ones never,
 * unknown ones all or none; versions are dense; and what had ended before another began stands before it in their partition.
 * Linear in the records, because a stream's version and a partition's offset say the order.
 */
export function faultsOf(
  writes: readonly Write[],
  log: readonly EventRecord[],
  nameOf: (record: EventRecord) => string,
) {
  const times = new Map<string, number>();
  for (const record of log) times.set(nameOf(record), (times.get(nameOf(record)) ?? 0) + 1);
  return [...writes.flatMap((write) => countFaults(write, times)), ...orderFaults(writes, log, nameOf), ...gaps(log)];
}

function countFaults({ names, outcome }: Write, times: ReadonlyMap<string, number>): string[] {
  const found = names.map((name) => times.get(name) ?? 0);
  const allowed = { ok: [1], refused: [0], unknown: [0, 1] }[outcome];
  const isWhole = found.every((n) => n === found[0]);
  return isWhole && allowed.includes(found[0] ?? 0) ? [] : [`${outcome}: ${names.join(' ')} found ${found.join(' ')}`];
}

/** From each partition's end backwards: nothing that comes later may have ended before this one began. */
function orderFaults(
  writes: readonly Write[],
  log: readonly EventRecord[],
  nameOf: (record: EventRecord) => string,
): string[] {
  const writeOf = new Map(writes.flatMap((write) => write.names.map((name) => [name, write] as const)));
  const earliestEnd = new Map<string, { endedAt: number; name: string }>();
  const faults: string[] = [];
  for (const record of log.toSorted((a, b) => b.offset - a.offset)) {
    const [name, place] = [nameOf(record), `${record.topic}/${record.partition}`];
    const write = writeOf.get(name);
    if (write === undefined) {
      faults.push(`${name} was never written`);
      continue;
    }
    const later = earliestEnd.get(place);
    if (later !== undefined && later.endedAt < write.invokedAt) faults.push(`${name} stands before ${later.name}`);
    if (write.outcome === 'ok' && write.endedAt < (later?.endedAt ?? Infinity))
      earliestEnd.set(place, { endedAt: write.endedAt, name });
  }
  return faults;
}

function gaps(log: readonly EventRecord[]): string[] {
  const next = new Map<string, number>();
  return log
    .toSorted((a, b) => a.offset - b.offset)
    .flatMap(({ topic, stream, version }) => {
      const expected = (next.get(`${topic}/${stream}`) ?? 0) + 1;
      next.set(`${topic}/${stream}`, version);
      return version === expected ? [] : [`${stream} goes on with version ${version}, not ${expected}`];
    });
}

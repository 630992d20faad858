import { describe, expect, it } from 'vitest';
import { silentLog } from '#runtime/index.js';
import type { KafkaClient } from './kafka-client.js';
import { KafkaReader } from './kafka-reader.js';
import { STRAIGHT } from './kafka-topics.js';

const endsAt = (end: number): ReadonlyMap<string, readonly number[]> => new Map([[STRAIGHT, [end]]]);

describe('what a reader of Kafka has forgotten', () => {
  it('stays forgotten when an answer comes that was asked for before', async () => {
    const answers: ((ends: ReadonlyMap<string, readonly number[]>) => void)[] = [];
    const client = {
      ends: () => new Promise<ReadonlyMap<string, readonly number[]>>((resolve) => answers.push(resolve)),
      fetch: async (_topic: string, _partition: number, from: number) => ({ records: [], next: from + 5 }),
    } as unknown as KafkaClient;
    const reader = new KafkaReader(client, [STRAIGHT], silentLog);
    const under = reader.heads([STRAIGHT]);
    await turn();
    reader.forget();
    answers[0]!(endsAt(100)); // of a Kafka that has lost its end since
    expect(await under).toEqual({ [`${STRAIGHT}/0`]: 100 });
    const read = reader.read(STRAIGHT, 0, 0, 10);
    await turn();
    expect(answers).toHaveLength(2); // it asks, and does not trust the old end
    answers[1]!(endsAt(5));
    expect(await read).toHaveLength(5);
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

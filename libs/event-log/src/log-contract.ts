import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { defineEvents } from './catalog.js';
import { type EventContext, type EventLog, type EventRecord, type Fact, PARTITIONS } from './event-log.js';
import { partitionOf } from './murmur2.js';

/** One kept log, and two handles on it as two processes would have them. */
export interface LogAdapter {
  writer: EventLog;
  /** May read across tenants. */
  reader: EventLog;
  close(): Promise<void>;
}

const TOPIC = 'muster.campaign';
const noted = {
  version: 1,
  schema: {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string' }, secret: { type: 'string', 'x-personal': true } },
  },
  samples: [{ v: 1, data: { text: '' } }],
};
/** Events that the contract writes; an adapter's catalogue holds them. */
export const contractDefinitions = [
  defineEvents(TOPIC, { ThingNoted: noted }),
  defineEvents('muster.device', { FactNoted: noted }),
];

type Noted = { type: string; data: { text: string; secret?: string } };
const note = (text: string): Noted => ({ type: 'ThingNoted', data: { text } });
const by = (tenant: string, commandId = newId()): EventContext => ({ tenant, actor: 'system:test', commandId });
const textOf = (record: EventRecord) => (record.data as { text: string }).text;
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** What every adapter of the log must keep; run it with `*.int.spec.ts` of the adapter. */
export function logContract(name: string, makeAdapter: () => Promise<LogAdapter>): void {
  describe(`${name} keeps the contract of the log:`, () => {
    let adapter: LogAdapter;
    let writer: EventLog;
    let reader: EventLog;
    const all = async (partition: number) => adapter.reader.read(TOPIC, partition, 0, 100_000);
    beforeAll(async () => {
      adapter = await makeAdapter();
      ({ writer, reader } = adapter);
    });
    afterAll(() => adapter.close());

    it('32 writers and a tailing reader see a growing, gapless prefix', async () => {
      const tail = tailOf(reader, await reader.heads([TOPIC]));
      let appended = 0;
      await Promise.all(
        Array.from({ length: 32 }, async (_, writerNumber) => {
          for (let version = 0; version < 12; version += 2) {
            const stream = { subject: `writer-${writerNumber}`, expectedVersion: version };
            await writer.append(TOPIC, stream, [note('a'), note('b')], by(`tenant-${writerNumber % 3}`));
            appended += 2;
          }
        }),
      );
      const seen = await tail.finish();
      expect(seen.length).toBe(appended);
      for (const partition of partitions) {
        const offsets = seen.filter((record) => record.partition === partition).map(({ offset }) => offset);
        expect(offsets).toEqual(offsets.map((_, index) => (offsets[0] ?? 0) + index));
      }
      for (const stream of new Set(seen.map((record) => record.stream)))
        expect(seen.filter((record) => record.stream === stream).map(({ version }) => version)).toEqual(
          Array.from({ length: 12 }, (_, index) => index + 1),
        );
    });

    it('a batch is atomic for every reader', async () => {
      const subject = 'batches';
      const partition = partitionOf(`acme/${subject}`);
      const from = (await reader.heads([TOPIC]))[`${TOPIC}/${partition}`] ?? 0;
      const batch = Array.from({ length: 50 }, (_, index) => note(String(index)));
      const sizes = new Set<number>();
      let done = false;
      const watching = (async () => {
        while (!done) sizes.add((await reader.read(TOPIC, partition, from, 1_000)).length % batch.length);
      })();
      for (let round = 0; round < 5; round += 1)
        await writer.append(TOPIC, { subject, expectedVersion: round * batch.length }, batch, by('acme'));
      done = true;
      await watching;
      expect([...sizes]).toEqual([0]);
    });

    it('a batch with one refused event stores nothing', async () => {
      const before = await reader.heads([TOPIC]);
      const bad = { type: 'ThingNoted', data: {} };
      const append = writer.append(TOPIC, { subject: 'half', expectedVersion: 0 }, [note('good'), bad], by('acme'));
      await expect(append).rejects.toMatchObject({ code: 'log.schema-violation' });
      expect(await reader.heads([TOPIC])).toEqual(before);
    });

    it('of two writers at one version one wins, the other gets log.version-conflict', async () => {
      const stream = { subject: 'raced', expectedVersion: 0 };
      const tries = ['x', 'y'].map((text) => writer.append(TOPIC, stream, [note(text)], by('acme')));
      const results = await Promise.allSettled(tries);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'log.version-conflict', details: { expected: 0, actual: 1 } },
      });
      expect(await reader.readStream(TOPIC, 'acme', 'raced')).toHaveLength(1);
    });

    it('of eight writers at the end of an existing stream one wins, all others get log.version-conflict', async () => {
      await writer.append(TOPIC, { subject: 'contested', expectedVersion: 0 }, [note('first')], by('acme'));
      const stream = { subject: 'contested', expectedVersion: 1 };
      const tries = [...'abcdefgh'].map((text) => writer.append(TOPIC, stream, [note(text)], by('acme')));
      const codes = (await Promise.allSettled(tries)).flatMap((result) =>
        result.status === 'rejected' ? [(result.reason as { code: string }).code] : [],
      );
      expect(codes).toEqual(Array.from({ length: 7 }, () => 'log.version-conflict'));
    });

    it('refuses an append beyond the end with log.version-conflict', async () => {
      const append = writer.append(TOPIC, { subject: 'beyond', expectedVersion: 3 }, [note('x')], by('acme'));
      await expect(append).rejects.toMatchObject({ code: 'log.version-conflict', details: { expected: 3, actual: 0 } });
      expect(await reader.readStream(TOPIC, 'acme', 'beyond')).toEqual([]);
    });

    it('reads on from any offset, in any portion', async () => {
      const partition = partitionOf('acme/batches');
      const whole = await all(partition);
      for (let from = 0; from <= whole.length; from += 7)
        expect(await reader.read(TOPIC, partition, from, 11)).toEqual(whole.slice(from, from + 11));
      expect(await reader.read(TOPIC, partition, whole.length, 10)).toEqual([]);
    });

    it('answers a repeated command with its first result', async () => {
      const context = by('acme');
      const stream = { subject: 'repeated', expectedVersion: 0 };
      const first = await writer.append(TOPIC, stream, [note('a'), note('b')], context);
      await writer.append(TOPIC, { subject: 'repeated', expectedVersion: 2 }, [note('c')], by('acme'));
      expect(await writer.append(TOPIC, stream, [note('a'), note('b')], context)).toEqual(first);
      expect((await reader.readStream(TOPIC, 'acme', 'repeated')).map(textOf)).toEqual(['a', 'b', 'c']);
    });

    it('stores a command that comes twice at once only once', async () => {
      const context = by('acme');
      const stream = { subject: 'at-once', expectedVersion: 0 };
      const append = () => writer.append(TOPIC, stream, [note('a')], context);
      const [first, second] = await Promise.all([append(), append()]);
      expect(second).toEqual(first);
    });

    it('keeps any text in data, NUL and lone surrogates too', () =>
      fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary' }),
          fc.constantFrom('', '\0', '\ud800', '😀'),
          async (text, odd) => {
            const subject = newId();
            const event = { type: 'ThingNoted', data: { text: text + odd, secret: odd + text } };
            await writer.append(TOPIC, { subject, expectedVersion: 0 }, [event], by('acme'));
            expect((await reader.readStream(TOPIC, 'acme', subject))[0]?.data).toEqual(event.data);
          },
        ),
        { numRuns: 25 },
      ));

    it.each(['a\0b', '', '\ud800', 'x'.repeat(201)])(
      'refuses the subject %j with log.schema-violation',
      async (subject) => {
        const append = writer.append(TOPIC, { subject, expectedVersion: 0 }, [note('x')], by('acme'));
        await expect(append).rejects.toMatchObject({ code: 'log.schema-violation', fields: [{ pointer: '/subject' }] });
      },
    );

    it.each(['Acme', 'a', 'a/b', '../x'])('refuses the tenant %j with log.schema-violation', async (tenant) => {
      await expect(
        writer.append(TOPIC, { subject: 's', expectedVersion: 0 }, [note('x')], by(tenant)),
      ).rejects.toMatchObject({ code: 'log.schema-violation', fields: [{ pointer: '/tenant' }] });
    });

    it('takes data of 256 KiB and refuses one byte more with log.event-too-large', async () => {
      const room = 256 * 1024 - JSON.stringify({ text: '' }).length;
      const at = (subject: string) => ({ subject, expectedVersion: 0 });
      await writer.append(TOPIC, at('large'), [note('x'.repeat(room))], by('acme'));
      await expect(writer.append(TOPIC, at('larger'), [note('x'.repeat(room + 1))], by('acme'))).rejects.toMatchObject({
        code: 'log.event-too-large',
        details: { limit: 262_144 },
      });
    });

    it('appends nothing for an empty batch, and still checks the version', async () => {
      const before = await reader.heads();
      const stream = { subject: 'empty', expectedVersion: 0 };
      expect(await writer.append(TOPIC, stream, [], by('acme'))).toMatchObject({ version: 0, eventIds: [] });
      await expect(writer.append(TOPIC, { ...stream, expectedVersion: 1 }, [], by('acme'))).rejects.toMatchObject({
        code: 'log.version-conflict',
      });
      await writer.appendFacts('muster.device', []);
      expect(await reader.heads()).toEqual(before);
    });

    it('keeps the order, times, numbers and partitions of facts of several tenants', async () => {
      const fact = (tenant: string, n: number): Fact<Noted> => ({
        subject: 'device-1',
        context: by(tenant),
        event: { type: 'FactNoted', data: { text: String(n) } },
        occurredAt: `2026-01-01T00:00:0${n}+00:00`,
        sequence: { source: 'device-1', epoch: 1, n },
      });
      const facts = [1, 2, 3].flatMap((n) => [fact('acme', n), fact('umbrella', n)]);
      await writer.appendFacts('muster.device', [...facts, { ...fact('acme', 4), partition: 7 }]);
      const read = await reader.read('muster.device', partitionOf('acme/device-1'), 0, 10, 'acme');
      expect(read.map(({ sequence, occurredAt, version }) => ({ n: sequence?.n, occurredAt, version }))).toEqual(
        [1, 2, 3].map((n) => ({ n, occurredAt: `2026-01-01T00:00:0${n}.000Z`, version: 0 })),
      );
      expect((await reader.read('muster.device', 7, 0, 10)).map(textOf)).toEqual(['4']);
    });

    it('32 writers of facts leave no gap and no deadlock', async () => {
      const fact = (): Fact<Noted> => ({
        subject: `device-${Math.floor(Math.random() * 60)}`,
        context: by(`tenant-${Math.floor(Math.random() * 4)}`),
        event: { type: 'FactNoted', data: { text: 'x', secret: 'y' } },
      });
      const before = await total(reader);
      const batch = () => writer.appendFacts('muster.device', Array.from({ length: 40 }, fact));
      await Promise.all(Array.from({ length: 32 }, batch));
      expect((await total(reader)) - before).toBe(32 * 40);
      for (const partition of partitions) await reader.read('muster.device', partition, 0, 100_000); // refuses a gap
    });

    it('the time of receipt never falls along a partition', async () => {
      for (const partition of partitions) {
        const times = (await all(partition)).map(({ receivedAt }) => receivedAt);
        expect(times).toEqual(times.toSorted());
      }
    });

    it('wakes a waiting reader by an append', async () => {
      const waiting = reader.waitForAppend(10_000);
      await writer.append(TOPIC, { subject: newId(), expectedVersion: 0 }, [note('x')], by('acme'));
      await waiting;
      await reader.waitForAppend(10_000, AbortSignal.abort());
    });
  });
}

async function total(log: EventLog): Promise<number> {
  return Object.values(await log.heads(['muster.device'])).reduce((sum, offset) => sum + offset, 0);
}

/** Follows all partitions until told to finish, then up to the heads of that moment. */
function tailOf(log: EventLog, from: Readonly<Record<string, number>>) {
  const next = partitions.map((partition) => from[`${TOPIC}/${partition}`] ?? 0);
  const seen: EventRecord[] = [];
  const round = async () => {
    for (const partition of partitions) {
      const records = await log.read(TOPIC, partition, next[partition] ?? 0, 7);
      next[partition] = (next[partition] ?? 0) + records.length;
      seen.push(...records);
      if (records.length === 7) await round();
    }
  };
  let stopping = false;
  const running = (async () => {
    while (!stopping) await round();
    await round();
  })();
  return {
    finish: async () => {
      stopping = true;
      await running;
      return seen;
    },
  };
}

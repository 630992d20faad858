import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { type EventContext, EventLogError, type EventRecord, PARTITIONS } from './event-log.js';
import { faultsOf, type Write } from './history.js';
import type { LogAdapter } from './log-contract.js';
import { partitionOf } from './murmur2.js';

const TOPIC = 'muster.campaign';
const SUBJECTS = 3;
const note = (text: string) => ({ type: 'ThingNoted', data: { text } });
const by = (commandId = newId()): EventContext => ({ tenant: 'acme', actor: 'system:test', commandId });
const textOf = ({ data }: EventRecord) => (data as { text: string }).text;

/** What each stream should hold, and the last append, to be repeated. */
interface Model {
  streams: string[][];
  last?: { subject: number; context: EventContext; texts: string[]; before: number };
}
/** The two handles of the log under test; after a restart only what is kept is left. */
type Handles = Pick<LogAdapter, 'writer' | 'reader'>;
interface Real extends Handles {
  prefix: string;
  reopen(): Promise<Handles>;
}
type LogCommand = fc.AsyncCommand<Model, Real>;

const append = (real: Real, subject: number, texts: readonly string[], version: number, context: EventContext) =>
  real.writer.append(
    TOPIC,
    { subject: `${real.prefix}-${subject}`, expectedVersion: version },
    texts.map(note),
    context,
  );

class Append implements LogCommand {
  constructor(
    private readonly subject: number,
    private readonly texts: string[],
    /** How far the version that is expected is off. */
    private readonly off: number,
  ) {}
  check(model: Readonly<Model>): boolean {
    return model.streams[this.subject]!.length + this.off >= 0;
  }
  async run(model: Model, real: Real): Promise<void> {
    const stream = model.streams[this.subject]!;
    const [before, context] = [stream.length, by()];
    const expected = before + this.off;
    const appended = append(real, this.subject, this.texts, expected, context);
    if (expected !== before) {
      const details = { expected, actual: before };
      return expect(appended).rejects.toMatchObject({ code: 'log.version-conflict', details });
    }
    stream.push(...this.texts);
    expect(await appended).toMatchObject({ version: stream.length });
    model.last = { subject: this.subject, context, texts: this.texts, before };
  }
  toString = () => `append(${this.subject}, ${JSON.stringify(this.texts)}, ${this.off})`;
}

class Repeat implements LogCommand {
  check(model: Readonly<Model>): boolean {
    return model.last !== undefined;
  }
  async run({ last }: Model, real: Real): Promise<void> {
    const { subject, texts, before, context } = last!;
    expect(await append(real, subject, texts, before, context)).toMatchObject({ version: before + texts.length });
  }
  toString = () => 'repeat()';
}

class Read implements LogCommand {
  constructor(private readonly subject: number) {}
  check(): boolean {
    return true;
  }
  /** By its stream, and in the order of its partition. */
  async run({ streams }: Model, { writer, reader, prefix }: Real): Promise<void> {
    const subject = `${prefix}-${this.subject}`;
    const records = await writer.readStream(TOPIC, 'acme', subject);
    expect(records.map(textOf)).toEqual(streams[this.subject]);
    expect(records.map(({ version }) => version)).toEqual(records.map((_, index) => index + 1));
    const partition = await reader.read(TOPIC, partitionOf(`acme/${subject}`), 0, 100_000);
    expect(partition.filter((record) => record.subject === subject)).toEqual(records);
  }
  toString = () => `read(${this.subject})`;
}

class Restart implements LogCommand {
  check(): boolean {
    return true;
  }
  async run(_: Model, real: Real): Promise<void> {
    Object.assign(real, await real.reopen());
  }
  toString = () => 'restart()';
}

const commands = () => {
  const subject = fc.nat(SUBJECTS - 1);
  const texts = fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 3 });
  const off = fc.constantFrom(0, 0, 0, -1, 1);
  return fc.commands([
    fc.tuple(subject, texts, off).map((each) => new Append(...each)),
    fc.constant(new Repeat()),
    subject.map((each) => new Read(each)),
    fc.constant(new Restart()),
  ]);
};

/** Random use of the log against a model of it, and a race whose history is checked. Every adapter is run through it. */
export function logModel(
  name: string,
  makeAdapter: () => Promise<LogAdapter & { reopen(): Promise<Handles> }>,
  runs = 15,
): void {
  describe(`${name} is what its users believe:`, () => {
    let adapter: Awaited<ReturnType<typeof makeAdapter>>;
    beforeAll(async () => (adapter = await makeAdapter()));
    afterAll(() => adapter.close());

    it('appends, conditional appends, repeats, reads and restarts in any order', () =>
      fc.assert(
        fc.asyncProperty(commands(), async (each) => {
          const streams = Array.from({ length: SUBJECTS }, (): string[] => []);
          const real: Real = { ...adapter, prefix: newId() };
          await fc.asyncModelRun(() => ({ model: { streams }, real }), each);
        }),
        { numRuns: runs, endOnFailure: true },
      ));

    it('32 writers race for 6 streams: all that is acknowledged stands there once, in the order of time', async () => {
      const { writer, reader } = adapter;
      const before = await reader.heads([TOPIC]);
      const writes: Write[] = [];
      const prefix = newId();
      let clock = 0;
      const write = async (text: string, subject: string) => {
        const expectedVersion = (await writer.readStream(TOPIC, 'acme', subject)).length;
        const names = [`${text}-a`, `${text}-b`];
        const invokedAt = (clock += 1);
        const outcome = await writer
          .append(TOPIC, { subject, expectedVersion }, names.map(note), by())
          .then(() => 'ok' as const, refused);
        writes.push({ names, invokedAt, endedAt: (clock += 1), outcome });
      };
      const race = async (n: number) => {
        for (let round = 0; round < 6; round += 1) await write(`${n}-${round}`, `${prefix}-${(n + round) % 6}`);
      };
      await Promise.all(Array.from({ length: 32 }, (_, n) => race(n)));
      const log: EventRecord[] = [];
      for (let part = 0; part < PARTITIONS; part += 1)
        log.push(...(await reader.read(TOPIC, part, before[`${TOPIC}/${part}`] ?? 0, 10_000)));
      expect(faultsOf(writes, log, textOf)).toEqual([]);
      expect(new Set(writes.map(({ outcome }) => outcome))).toEqual(new Set(['ok', 'refused']));
    });
  });
}

function refused(error: unknown): 'refused' {
  if (error instanceof EventLogError && error.code === 'log.version-conflict') return 'refused';
  throw error;
}

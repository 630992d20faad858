import { run } from './processes.js';

/** A record as `kcat` prints it: a client that shares no line with ours. */
export interface Printed {
  topic: string;
  partition: number;
  offset: number;
  headers: Record<string, string>;
  key: string;
  payload: string;
}

/** What `kcat -J` writes a line: names and values of the headers in one list. */
type Line = Omit<Printed, 'headers'> & { headers?: string[] };

const kcat = async (broker: string, ...args: string[]): Promise<string> => {
  const { code, output, stdout } = await run('kcat', ['-b', broker, ...args]);
  if (code !== 0) throw new Error(`kcat ${args.join(' ')} exited ${code}: ${output}`);
  return stdout;
};

/** Names of the topics that the broker has, its own apart. */
export async function topicsOn(broker: string): Promise<string[]> {
  const { topics } = JSON.parse(await kcat(broker, '-L', '-J')) as { topics: { topic: string }[] };
  return topics.map(({ topic }) => topic).filter((topic) => !topic.startsWith('__'));
}

/** Every record of a topic, each partition in order. */
export async function recordsOn(broker: string, topic: string): Promise<Printed[]> {
  const printed = await kcat(broker, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J');
  return printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { headers = [], ...record } = JSON.parse(line) as Line;
      const pairs = headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : []));
      return { ...record, headers: Object.fromEntries(pairs) as Record<string, string> };
    })
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The same in the words of a format string: `%k` the key, `%h` the headers, `%s` the value. */
export const printedOn = (broker: string, topic: string, format: string): Promise<string> =>
  kcat(broker, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format);

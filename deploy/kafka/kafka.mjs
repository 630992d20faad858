// `npm run kafka -- fetch|start|stop|status [--brokers 3] [--free-ports] [--folder F]`
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fetchJars, home, runningKafka, startKafka, stopKafka } from './broker.mjs';

const say = (line) => void process.stdout.write(`${line}\n`);
const described = ({ brokers, pids }) => `KAFKA_BROKERS=${brokers.join(',')} (pid ${pids.join(', ')})`;

const commands = {
  fetch: () => {
    fetchJars();
    say(`Kafka is in ${home}`);
  },
  start: async ({ brokers, folder, 'free-ports': freePorts }) =>
    say(described(await startKafka({ brokers: Number(brokers), folder, freePorts }))),
  stop: async ({ folder }) => {
    const pids = await stopKafka(folder);
    say(pids.length === 0 ? 'no broker was running' : `stopped pid ${pids.join(', ')}`);
  },
  status: ({ folder }) => {
    const running = runningKafka(folder);
    say(running === undefined ? 'no broker is running' : described(running));
    if (running === undefined) process.exitCode = 1;
  },
};

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      brokers: { type: 'string', default: '1' },
      folder: { type: 'string', default: home },
      'free-ports': { type: 'boolean', default: false },
    },
  });
  const run = commands[positionals[0]];
  if (run === undefined || positionals.length !== 1) throw new Error(`one of ${Object.keys(commands).join(', ')}`);
  await run({ ...values, folder: path.resolve(values.folder) });
} catch (error) {
  process.stderr.write(`kafka: ${error.message}\n`);
  process.exitCode = 1;
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { processClock, processLog } from '#runtime/index.js';
import { Rates } from './arrivals.js';
import { codesFrom } from './codes.js';
import { Fleet, untilAborted } from './fleet.js';
import { readPopulation } from './population.js';

interface Options {
  ca: string;
  codes: string;
  rate: number[];
  seconds?: number;
  arrival: 'poll' | 'network';
  once?: boolean;
  population?: string;
  cut: number;
  vanish: number;
  failInstalls: number;
  think: number;
  away: number;
  enrolAtOnce: number;
}

const EXIT_MS = 1_000;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function numberFrom(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('not a number from 0.');
  return value;
}
function shareFrom(text: string): number {
  const share = numberFrom(text);
  if (share > 1) throw new InvalidArgumentError('not a share from 0 to 1.');
  return share;
}
function countFrom(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('not a whole number from 1.');
  return count;
}
const ratesFrom = (text: string): number[] => text.split(',').map(numberFrom);

/** Registers `fleet`. */
export function addFleetCommand(program: Command): void {
  program
    .command('fleet <server>')
    .description('Many handsets in this process, each an agent of its own over TLS of its own; a JSON line a second')
    .requiredOption('--ca <fingerprint>', 'sha-256 of the server CA, hex')
    .requiredOption(
      '--codes <file>',
      'what `muster device codes` printed, or a CSV with a column `code`: one a handset; - reads standard input',
    )
    .option(
      '--rate <per second>',
      'arrivals, by chance; several by comma, each for --seconds; 0: their own rules alone',
      ratesFrom,
      [0],
    )
    .option('--seconds <seconds>', 'how long each rate holds; without it until SIGTERM', numberFrom)
    .addOption(
      new Option('--arrival <what>', 'poll, or network: an event, of which its rules may make a poll')
        .choices(['poll', 'network'])
        .default('poll'),
    )
    .option('--once', 'each handset comes once; they live on until SIGTERM')
    .option(
      '--population <file>',
      'JSON lines: {"count", "attributes", "refuses", "metered", "cuts", "vanishes", "failsInstall"}',
    )
    .option('--cut <share>', 'of the handsets that lose the connection in each first transfer', shareFrom, 0)
    .option('--vanish <share>', 'of those that go away in it, and come back after --away', shareFrom, 0)
    .option('--fail-installs <share>', 'of those whose installations fail', shareFrom, 0)
    .option('--think <seconds>', 'how long owners think before a transfer, on average', numberFrom, 0)
    .option('--away <seconds>', 'how long one is away', numberFrom, 30)
    .option('--enrol-at-once <number>', 'how many enrol at the same time', countFrom, 8)
    .addHelpText('after', FLEET_HELP)
    .action(runFleet);
}

const FLEET_HELP = `
A line a second: arrivals (polls begun), inFlight, answered, sentAway (429, 503), failures, late (polls that arrived and
began 100 ms after that or later), p50Ms and p99Ms from arrival to answer; a summary at the end. A number on standard
input, unless the codes came there, is the rate from then on.

Example: printf 'label\\n%s\\n' one two three | muster device codes - > codes.txt
         muster-handset fleet https://127.0.0.1:8443 --ca 3f…9a --codes codes.txt --rate 20,40,80 --seconds 30`;

async function runFleet(server: string, options: Options, command: Command): Promise<void> {
  if (options.rate.length > 1 && options.seconds === undefined)
    command.error('error: several rates need --seconds: without it the first would hold for ever');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const folder = mkdtempSync(join(tmpdir(), 'muster-fleet-'));
  try {
    await live(server, options, { folder, stop: stop.signal });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    setTimeout(() => process.exit(), EXIT_MS).unref(); // what is still under way is not waited for
  }
}

async function live(
  server: string,
  options: Options,
  { folder, stop }: { folder: string; stop: AbortSignal },
): Promise<void> {
  const codes = codesFrom(readFileSync(options.codes === '-' ? 0 : options.codes, 'utf8'));
  const rates = new Rates(options.rate, options.seconds ?? Infinity);
  const before = process.memoryUsage().rss;
  const fleet = new Fleet({
    server: { server, caFingerprint: options.ca },
    codes,
    folder,
    kinds: readPopulation(options.population === undefined ? '' : readFileSync(options.population, 'utf8')),
    shares: { cuts: options.cut, vanishes: options.vanish, failsInstall: options.failInstalls },
    rates,
    arrival: options.arrival,
    isOnce: options.once === true,
    thinkMs: options.think * 1_000,
    awayMs: options.away * 1_000,
    enrolAtOnce: options.enrolAtOnce,
    clock: processClock(),
    // That polls fail is what a fleet is for; only mistakes of agents are told.
    log: processLog('fleet', { MUSTER_LOG_LEVEL: 'error', ...process.env }),
    random: Math.random,
  });
  const began = Date.now();
  await fleet.enrol(stop);
  const memory = () => Math.round((process.memoryUsage().rss - before) / Math.max(1, fleet.enrolled) / 102.4) / 10;
  print({ enrolled: fleet.enrolled, seconds: (Date.now() - began) / 1_000, kibPerHandset: memory() });
  const input = options.codes === '-' ? undefined : listenForRates(rates);
  const lines = setInterval(() => print({ at: new Date().toISOString(), ...fleet.meter.nextSecond() }), 1_000);
  await fleet.drive(stop, rates.totalMs);
  if (options.once === true || options.seconds === undefined) await untilAborted(stop);
  await fleet.stop();
  clearInterval(lines);
  input?.close();
  print({ summary: { ...fleet.summary(), kibPerHandset: memory() } });
  if (fleet.agentsFailed > 0) process.exitCode = 1;
}

function listenForRates(rates: Rates): Interface {
  const input = createInterface({ input: process.stdin });
  return input.on('line', (line) => {
    const rate = Number(line);
    if (line.trim() !== '' && Number.isFinite(rate) && rate >= 0) rates.set(rate);
  });
}

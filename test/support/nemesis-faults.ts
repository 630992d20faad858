import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killBroker } from '../../deploy/kafka/broker.mjs';
import type { Copy } from './nemesis-copies.js';
import { BROKERS, type NemesisInstallation } from './nemesis-installation.js';
import type { Link, Weather } from './link.js';
import { run } from './processes.js';

/** One kind of trouble. */
export interface Fault {
  kind: string;
  /** What it hits: faults on one thing come one after the other. */
  on: string;
  /** Resolves when it is over, and what it hit has been started again. */
  strike(muster: NemesisInstallation): Promise<void>;
}

export type Random = () => number;

/** Mulberry32: small, and the same on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const between = (random: Random, low: number, high: number) => low + Math.floor(random() * (high - low + 1));
const oneOf = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

const SERVICES = ['campaign', 'insight'] as const;
const POINTS = {
  campaign: ['append.before-commit', 'append.after-commit', 'projection.before-checkpoint', 'publish.before-record'],
  insight: ['projection.before-checkpoint'],
};
const WEATHERS: readonly Weather[] = ['cut', 'hung', 'slow'];

type Draw = (random: Random) => Fault;

function onCopy(random: Random): { on: string; service: (typeof SERVICES)[number]; of(it: NemesisInstallation): Copy } {
  const service = oneOf(random, SERVICES);
  const n = between(random, 1, 2);
  const on = `${service}-${n}`;
  return { on, service, of: ({ campaigns, insights }) => (service === 'campaign' ? campaigns : insights)[n - 1]! };
}

const killedCopy: Draw = (random) => {
  const { on, service, of } = onCopy(random);
  const strike = async (it: NemesisInstallation) => {
    of(it).kill();
    await sleep(1_000);
    await of(it).waitUntilReady();
  };
  return { kind: `${service} killed`, on, strike };
};

const frozenCopy: Draw = (random) => {
  const { on, service, of } = onCopy(random);
  const seconds = between(random, 5, 15);
  const strike = async (it: NemesisInstallation) => {
    of(it).freeze();
    await sleep(seconds * 1_000);
    of(it).thaw();
  };
  return { kind: `${service} frozen`, on, strike };
};

const armedCopy: Draw = (random) => {
  const { on, service, of } = onCopy(random);
  const point = oneOf(random, POINTS[service]);
  const nth = between(random, 1, 5);
  const strike = async (it: NemesisInstallation) => {
    of(it).arm(`${point}:kill:${nth}`);
    await sleep(10_000);
    of(it).disarm();
    await of(it).waitUntilReady();
  };
  return { kind: `${service} at ${point}`, on, strike };
};

const killedPostgres: Draw = (random) => {
  const seconds = between(random, 1, 5);
  const strike = async ({ postgres }: NemesisInstallation) => {
    await postgres.kill();
    await sleep(seconds * 1_000);
    await postgres.start();
  };
  return { kind: 'postgres killed', on: 'postgres', strike };
};

/** One of three changes nothing but leaders; two leave no partition with enough replicas. */
const killedBrokers: Draw = (random) => {
  const seconds = between(random, 2, 6);
  const first = between(random, 0, 2);
  const count = random() < 0.7 ? 1 : 2;
  const nodes = Array.from({ length: count }, (_, i) => BROKERS[(first + i) % 3]!);
  const strike = async ({ kafkaFolder }: NemesisInstallation) => {
    await Promise.all(nodes.map((node) => killBroker(kafkaFolder, node)));
    await sleep(seconds * 1_000);
    await Promise.all(nodes.map((node) => startApart(kafkaFolder, node)));
  };
  return { kind: count === 1 ? 'broker killed' : 'two brokers killed', on: 'brokers', strike };
};

/** In a process of its own: the start waits for two programs without letting anything else run. */
async function startApart(folder: string, node: number): Promise<void> {
  const door = path.resolve('deploy/kafka/broker.mjs');
  const text = `import { startBroker } from ${JSON.stringify(door)}; await startBroker(${JSON.stringify(folder)}, ${node});`;
  const { code, output } = await run(process.execPath, ['--input-type=module', '-e', text]);
  if (code !== 0) throw new Error(`broker ${node} did not start:\n${output}`);
}

const badNetwork: Draw = (random) => {
  const weather = oneOf(random, WEATHERS);
  const seconds = between(random, 4, 12);
  const ends = ['postgres', 'broker', 'handsets', 'people'] as const;
  const end = oneOf(random, ends);
  const copy = onCopy(random).on;
  const node = between(random, 0, 2);
  const of = ({ links }: NemesisInstallation): Link => {
    if (end === 'postgres') return links.postgres.get(copy)!;
    return end === 'broker' ? links.brokers[node]! : links[end];
  };
  const strike = async (it: NemesisInstallation) => {
    of(it).turnTo(weather);
    await sleep(seconds * 1_000);
    of(it).turnTo('clear');
  };
  const on = end === 'postgres' ? `link of ${copy}` : end === 'broker' ? `link of broker ${node}` : `link of ${end}`;
  return { kind: `network to ${end} ${weather}`, on, strike };
};

const killedFleet: Draw = () => ({
  kind: 'fleet killed',
  on: 'fleet',
  strike: async ({ fleet }) => {
    fleet.kill();
    await sleep(1_000);
    await fleet.waitUntilReady();
  },
});

/** By weight: what is listed twice comes twice as often. */
const DRAWS: readonly Draw[] = [
  ...[killedCopy, killedCopy, frozenCopy, armedCopy, armedCopy],
  ...[killedPostgres, killedBrokers, badNetwork, badNetwork, badNetwork, killedFleet],
];

/** What one seed brings: one to three faults a round, never two on one thing. */
export function planOf(seed: number, rounds: number): Fault[][] {
  const random = seeded(seed);
  return Array.from({ length: rounds }, () => {
    const faults = Array.from({ length: between(random, 1, 3) }, () => oneOf(random, DRAWS)(random));
    return faults.filter(({ on }, i) => faults.findIndex((other) => other.on === on) === i);
  });
}

export const ROUND_MS = 20_000;

/** Strikes as planned, a round every 20 s. What is not over yet when its thing is struck again, is waited for. */
export async function strikeAll(muster: NemesisInstallation, plan: readonly Fault[][]): Promise<Map<string, number>> {
  const struck = new Map<string, number>();
  const lanes = new Map<string, Promise<void>>();
  for (const faults of plan) {
    const begin = Date.now();
    for (const { kind, on, strike } of faults) {
      struck.set(kind, (struck.get(kind) ?? 0) + 1);
      lanes.set(
        on,
        (lanes.get(on) ?? Promise.resolve()).then(() => strike(muster)),
      );
    }
    await Promise.race([sleep(begin + ROUND_MS - Date.now()), failed(lanes)]);
  }
  await Promise.all(lanes.values());
  return struck;
}

/** Never resolves; a fault that cannot be healed is a failure of the test. */
const failed = (lanes: ReadonlyMap<string, Promise<void>>): Promise<never> =>
  Promise.all(lanes.values()).then(() => new Promise<never>(() => undefined));

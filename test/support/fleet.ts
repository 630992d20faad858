import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface FleetHandset {
  name: string;
  code: string;
  attributes: { group: number };
}

export interface FleetSettings {
  server: string;
  caFingerprint: string;
  handsets: readonly FleetHandset[];
}

/** How far one handset is, from what lies in its folder. */
export interface HandsetState {
  name: string;
  group: number;
  deviceId: string;
  /** By content id: the agent's stage of it. */
  stages: Readonly<Record<string, string>>;
  /** By `<contentId> <campaignId>`. */
  declined: Readonly<Record<string, string>>;
  /** Polls that failed in a row. */
  failures: number;
  polledAt: number;
  /** The facts up to here the server has acknowledged. */
  acknowledged: { epoch: number; n: number };
  waiting: number;
  /** Names of contents, once for each run of the install hook. */
  installed: readonly string[];
}

interface StoredState {
  contents: Record<string, { stage: string }>;
  declined: Record<string, string>;
  failures: number;
  lastPoll?: { at: number };
}

export function writeFleet(folder: string, settings: FleetSettings): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'fleet.json'), JSON.stringify(settings));
}

/** Handsets that have enrolled. Each file is replaced as a whole, so that this may be read while the fleet runs. */
export function readFleet(folder: string): HandsetState[] {
  const { handsets } = JSON.parse(readFileSync(path.join(folder, 'fleet.json'), 'utf8')) as FleetSettings;
  return handsets.flatMap(({ name, attributes: { group } }) => {
    const at = (...names: string[]) => path.join(folder, name, ...names);
    if (!existsSync(at('store', 'identity.json')) || !existsSync(at('store', 'state.json'))) return [];
    const { deviceId } = parsed<{ deviceId: string }>(at('store', 'identity.json'));
    const { contents, declined, failures, lastPoll } = parsed<StoredState>(at('store', 'state.json'));
    const stages = Object.fromEntries(Object.entries(contents).map(([id, { stage }]) => [id, stage]));
    const installed = existsSync(at('installed')) ? lines(at('installed')) : [];
    const about = { name, group, deviceId, stages, declined, failures, polledAt: lastPoll?.at ?? 0, installed };
    return [{ ...about, ...factsOf(at('store', 'facts.log')) }];
  });
}

/** A header with the next number, then what the server does not have yet. What went before was acknowledged. */
function factsOf(file: string): Pick<HandsetState, 'acknowledged' | 'waiting'> {
  const [header = '', ...facts] = lines(file);
  const { epoch, next } = JSON.parse(header) as { epoch: number; next: number };
  const waiting = facts.map((line) => (JSON.parse(line) as { seq: { n: number } }).seq.n);
  return { acknowledged: { epoch, n: (waiting[0] ?? next) - 1 }, waiting: waiting.length };
}

const parsed = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8')) as T;

/** Without one that is still being written. */
const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Api } from '../cli/api.js';
import { type Child, PROGRAMS, startChild } from './children.js';

/** The channel of the demo: nobody else's handsets hear of it. */
export const CHANNEL = 'demo';

/** What rules may ask of a handset of the demo. */
export const ATTRIBUTES = {
  model: { type: 'string', description: 'Model name' },
  freeMiB: { type: 'int', description: 'Free memory, MiB' },
  nfc: { type: 'bool', description: 'Has an NFC antenna' },
};

export const SELECTOR = 'device.model.startsWith("Aurora") && device.freeMiB >= 64 && device.nfc';

/** What a handset of the demo stores: it asks when it comes to a network that costs nothing, and at no other event. */
export const RULES = [{ id: 'free-network', on: ['network'], when: 'event.metered == false' }];

interface Kind {
  count: number;
  attributes: { model: string; freeMiB: number; nfc: boolean };
  /** What befalls it, in the words of the fleet's population. */
  refuses?: boolean;
  metered?: boolean;
  cuts?: boolean;
  vanishes?: boolean;
  failsInstall?: boolean;
  /** What the demo says about it. */
  expectation: string;
  ends: 'installed' | 'declined' | 'silent';
}

const aurora = (freeMiB: number) => ({ model: 'Aurora 6', freeMiB, nfc: true });

export const KINDS: readonly Kind[] = [
  { count: 104, attributes: aurora(900), expectation: 'fit', ends: 'installed' },
  {
    count: 16,
    attributes: aurora(512),
    cuts: true,
    expectation: 'fit, lose the connection half-way, and go on from there',
    ends: 'installed',
  },
  {
    count: 8,
    attributes: aurora(256),
    vanishes: true,
    expectation: 'fit, are switched off half-way, and come back',
    ends: 'installed',
  },
  {
    count: 8,
    attributes: aurora(128),
    failsInstall: true,
    expectation: 'fit, but cannot install it',
    ends: 'declined',
  },
  { count: 16, attributes: aurora(333), refuses: true, expectation: 'fit, but their owners say no', ends: 'declined' },
  { count: 14, attributes: aurora(12), expectation: 'have too little memory', ends: 'declined' },
  {
    count: 14,
    attributes: { model: 'Boreal X', freeMiB: 2_000, nfc: true },
    expectation: 'are another model',
    ends: 'declined',
  },
  {
    count: 20,
    attributes: aurora(512),
    metered: true,
    expectation: 'would fit, but their stored rule is not satisfied: they never ask',
    ends: 'silent',
  },
];

const total = (kinds: readonly Kind[]): number => kinds.reduce((sum, { count }) => sum + count, 0);
const ending = (how: Kind['ends']): number => total(KINDS.filter(({ ends }) => ends === how));

export const HANDSETS = total(KINDS);
/** How many will have it in the end, and how many will have said that they do not. */
export const FITTING = ending('installed');
export const DECLINING = ending('declined');

const ENROLMENT_MS = 180_000;
const ARRIVALS_PER_SECOND = 15;

/** Enrols the handsets and starts them, all in one process. They are at no network yet. */
export async function startFleet(api: Api, folder: string): Promise<Child> {
  const { handsetUrl, caFingerprint } = await api.get<{ handsetUrl: string; caFingerprint: string }>(
    '/v1/installation',
  );
  const lines = Array.from({ length: HANDSETS }, (_, n) => `demo-${n + 1},${CHANNEL}`);
  const content = ['label,channel', ...lines].join('\n');
  const issued = await api.call<string>('POST', '/v1/enrolment-codes/bulk?lifetimeSeconds=3600', {
    text: { type: 'text/csv', content },
    headers: { accept: 'text/csv' },
  });
  const codes = path.join(folder, 'codes.csv');
  writeFileSync(codes, issued.body, { mode: 0o600 });
  const population = path.join(folder, 'population.jsonl');
  const kinds = KINDS.map(({ expectation: _, ends: __, ...kind }) => JSON.stringify(kind));
  writeFileSync(population, kinds.join('\n'));
  const fleet = ['fleet', handsetUrl, '--ca', caFingerprint, '--codes', codes, '--population', population];
  const pace = ['--arrival', 'network', '--once', '--away', '5', '--think', '0.3'];
  const child = startChild(PROGRAMS.handset, [...fleet, ...pace]);
  try {
    await child.waitFor(/"enrolled"/, ENROLMENT_MS);
    return child;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** From now on they come to a network, one after the other. */
export const bringToNetwork = (fleet: Child): void => fleet.write(`${ARRIVALS_PER_SECOND}\n`);

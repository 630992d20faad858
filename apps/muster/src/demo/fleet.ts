import { mkdirSync, writeFileSync } from 'node:fs';
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

interface Handset {
  name: string;
  attributes: { model: string; freeMiB: number; nfc: boolean };
  /** Its owner says no. */
  refuses?: boolean;
  /** The network that it comes to costs money. */
  isMetered?: boolean;
  /** What the demo says about it. */
  expectation: string;
}

export const FLEET: readonly Handset[] = [
  { name: 'aurora-1', attributes: { model: 'Aurora 5', freeMiB: 900, nfc: true }, expectation: 'fits' },
  { name: 'aurora-2', attributes: { model: 'Aurora 6 Pro', freeMiB: 128, nfc: true }, expectation: 'fits' },
  { name: 'aurora-3', attributes: { model: 'Aurora 6', freeMiB: 333, nfc: true }, expectation: 'fits' },
  { name: 'aurora-4', attributes: { model: 'Aurora 5', freeMiB: 12, nfc: true }, expectation: 'has too little memory' },
  { name: 'boreal-1', attributes: { model: 'Boreal X', freeMiB: 2_000, nfc: true }, expectation: 'is another model' },
  {
    name: 'aurora-5',
    attributes: { model: 'Aurora 6', freeMiB: 512, nfc: true },
    refuses: true,
    expectation: 'fits, but its owner says no',
  },
  {
    name: 'aurora-6',
    attributes: { model: 'Aurora 6', freeMiB: 512, nfc: true },
    isMetered: true,
    expectation: 'would fit, but its stored rule is not satisfied: it never asks',
  },
];

/** How many will have it in the end, and how many will have said that they do not take it. */
export const FITTING = FLEET.filter(({ expectation }) => expectation === 'fits').length;
export const DECLINING = FLEET.filter(({ isMetered }) => isMetered !== true).length - FITTING;

const COMMAND_MS = 30_000;

/** Enrols and starts one agent process a handset, each with a folder of its own. */
export async function startFleet(api: Api, folder: string): Promise<Child[]> {
  const { handsetUrl, caFingerprint } = await api.get<{ handsetUrl: string; caFingerprint: string }>(
    '/v1/installation',
  );
  const running: Child[] = [];
  try {
    for (const handset of FLEET) {
      const data = path.join(folder, handset.name);
      const { code } = await api.post<{ code: string }>('/v1/enrolment-codes', {
        channel: CHANNEL,
        label: handset.name,
      });
      const line = ['enrol', handsetUrl, '--ca', caFingerprint, '--code', code, '--folder', data];
      await startChild(PROGRAMS.handset, line).waitFor(/"deviceId"/, COMMAND_MS);
      running.push(startChild(PROGRAMS.handset, ['run', '--folder', data, ...hooksOf(handset, data)]));
    }
    return running;
  } catch (error) {
    await Promise.all(running.map((each) => each.stop()));
    throw error;
  }
}

/** Tells each agent, as its platform would, that it has come to a network. */
export async function bringToNetwork(folder: string): Promise<void> {
  for (const { name, isMetered = false } of FLEET) {
    const data = JSON.stringify({ network: isMetered ? 'cellular' : 'wifi', metered: isMetered });
    const event = ['event', 'network', '--data', data, '--folder', path.join(folder, name)];
    await startChild(PROGRAMS.handset, event).waitFor(/"fired"|"spooled"/, COMMAND_MS);
  }
}

function hooksOf({ attributes, refuses = false }: Handset, data: string): string[] {
  mkdirSync(data, { recursive: true });
  const file = path.join(data, 'attributes.json');
  writeFileSync(file, JSON.stringify(attributes));
  const hooks = ['--attributes', file, '--install', '/bin/true'];
  return refuses ? [...hooks, '--may-start', '/bin/false'] : hooks;
}

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

/** Wakes up at its start and every three seconds; one that has no rule to satisfy stays silent. */
export const RULES = [
  { id: 'power-on', on: ['boot'] },
  { id: 'often', on: ['timer'], when: 'device.freeMiB > 0', minInterval: 3 },
];

interface Handset {
  name: string;
  attributes: { model: string; freeMiB: number; nfc: boolean };
  /** Its owner says no. */
  refuses?: boolean;
  /** What the demo says about it. */
  expectation: string;
}

export const FLEET: readonly Handset[] = [
  { name: 'aurora-1', attributes: { model: 'Aurora 5', freeMiB: 900, nfc: true }, expectation: 'fits' },
  { name: 'aurora-2', attributes: { model: 'Aurora 6 Pro', freeMiB: 128, nfc: true }, expectation: 'fits' },
  { name: 'aurora-3', attributes: { model: 'Aurora 5', freeMiB: 12, nfc: true }, expectation: 'too little memory' },
  { name: 'boreal-1', attributes: { model: 'Boreal X', freeMiB: 2_000, nfc: true }, expectation: 'another model' },
  {
    name: 'aurora-4',
    attributes: { model: 'Aurora 6', freeMiB: 512, nfc: true },
    refuses: true,
    expectation: 'its owner says no',
  },
  { name: 'aurora-5', attributes: { model: 'Aurora 6', freeMiB: 333, nfc: true }, expectation: 'fits' },
];

export const FITTING = FLEET.filter(({ expectation }) => expectation === 'fits').length;

const ENROL_MS = 30_000;

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
      await startChild(PROGRAMS.handset, line).waitFor(/"deviceId"/, ENROL_MS);
      running.push(startChild(PROGRAMS.handset, ['run', '--folder', data, ...hooksOf(handset, data)]));
    }
    return running;
  } catch (error) {
    await Promise.all(running.map((each) => each.stop()));
    throw error;
  }
}

function hooksOf({ attributes, refuses = false }: Handset, data: string): string[] {
  mkdirSync(data, { recursive: true });
  const file = path.join(data, 'attributes.json');
  writeFileSync(file, JSON.stringify(attributes));
  const hooks = ['--attributes', file, '--install', '/bin/true'];
  return refuses ? [...hooks, '--may-start', '/bin/false'] : hooks;
}

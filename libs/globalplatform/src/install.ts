import { checkAid } from './aid.js';
import type { CommandApdu } from './apdu.js';
import { NOTHING } from './bytes.js';
import { refused } from './errors.js';
import { decodeFields, encodeFields } from './length-value.js';

/** INSTALL in each of its forms (GPCS §11.5.2.3). Absent fields travel as empty ones. */
export type Install =
  | {
      for: 'load';
      loadFile: Uint8Array;
      securityDomain?: Uint8Array;
      hash?: Uint8Array;
      parameters?: Uint8Array;
      token?: Uint8Array;
    }
  | ({ for: 'install' | 'make-selectable' | 'install-and-make-selectable' } & Instance)
  | {
      for: 'extradition';
      securityDomain: Uint8Array;
      application: Uint8Array;
      parameters?: Uint8Array;
      token?: Uint8Array;
    }
  | {
      for: 'registry-update';
      securityDomain?: Uint8Array;
      application?: Uint8Array;
      privileges?: Uint8Array;
      parameters?: Uint8Array;
      token?: Uint8Array;
    }
  | { for: 'personalization'; application: Uint8Array };

export interface Instance {
  /** Load file and module; both are empty where an instance that is there is made selectable. */
  loadFile?: Uint8Array;
  module?: Uint8Array;
  application: Uint8Array;
  /** One byte or three. */
  privileges: Uint8Array;
  /** BER-TLV: C9 for the application, EF for the system. */
  parameters?: Uint8Array;
  token?: Uint8Array;
}

export type InstallPurpose = Install['for'];

const P1: Readonly<Record<InstallPurpose, number>> = {
  load: 0x02,
  install: 0x04,
  'make-selectable': 0x08,
  'install-and-make-selectable': 0x0c,
  extradition: 0x10,
  personalization: 0x20,
  'registry-update': 0x40,
};

/** What stands in the data, in this order; names that begin with `_` are empty in every such command. */
const FIELDS = {
  load: ['loadFile', 'securityDomain', 'hash', 'parameters', 'token'],
  instance: ['loadFile', 'module', 'application', 'privileges', 'parameters', 'token'],
  extradition: ['securityDomain', '_1', 'application', '_2', 'parameters', 'token'],
  'registry-update': ['securityDomain', '_1', 'application', 'privileges', 'parameters', 'token'],
  personalization: ['_1', '_2', 'application', '_3', '_4', '_5'],
} as const;
const AIDS = ['loadFile', 'module', 'application', 'securityDomain'];

const fieldsOf = (purpose: InstallPurpose): readonly string[] =>
  purpose in FIELDS ? FIELDS[purpose as keyof typeof FIELDS] : FIELDS.instance;

export const INSTALL = 0xe6;
const STEP = 'INSTALL';

/** @throws GlobalPlatformError `aid.length`, `command.malformed` */
export function install(wanted: Install): CommandApdu {
  const values = wanted as unknown as Readonly<Record<string, Uint8Array | undefined>>;
  const fields = Object.fromEntries(
    fieldsOf(wanted.for).map((name) => {
      const value = values[name] ?? NOTHING;
      if (value.length > 0 && AIDS.includes(name)) checkAid(value, name);
      return [name, value];
    }),
  );
  return { cla: 0x80, ins: INSTALL, p1: P1[wanted.for], p2: 0, data: encodeFields(STEP, fields), le: 256 };
}

/** The card's side; empty fields are absent. @throws GlobalPlatformError `command.malformed` (6A80, 6A86), `aid.length` */
export function readInstall({ p1, p2, data = NOTHING }: CommandApdu): Install {
  const purpose = (Object.keys(P1) as InstallPurpose[]).find((each) => P1[each] === p1);
  if (purpose === undefined || p2 !== 0)
    throw refused('command.malformed', { step: STEP, input: 'P1', p1 }, 'no form of INSTALL that is known');
  const fields = decodeFields(STEP, data, fieldsOf(purpose));
  const given = Object.entries(fields).filter(([, value]) => value.length > 0);
  for (const [name, value] of given) {
    if (name.startsWith('_'))
      throw refused('command.malformed', { step: STEP, input: name }, 'a field that must be empty');
    if (AIDS.includes(name)) checkAid(value, name);
  }
  const read = Object.fromEntries(given);
  for (const name of requiredOf(purpose))
    if (read[name] === undefined) throw refused('command.malformed', { step: STEP, input: name }, 'it must be there');
  return { for: purpose, ...read } as unknown as Install;
}

function requiredOf(purpose: InstallPurpose): readonly string[] {
  switch (purpose) {
    case 'load':
      return ['loadFile'];
    case 'install':
    case 'install-and-make-selectable':
    case 'make-selectable':
      return ['application', 'privileges'];
    case 'extradition':
      return ['securityDomain', 'application'];
    case 'personalization':
      return ['application'];
    case 'registry-update':
      return [];
  }
}

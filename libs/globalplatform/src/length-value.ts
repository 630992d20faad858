import { concat } from './bytes.js';
import { refused } from './errors.js';

/** Fields of INSTALL: one byte of length, then the value. @throws GlobalPlatformError `command.malformed` */
export function encodeFields(step: string, fields: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return concat(
    ...Object.entries(fields).map(([input, value]) => {
      if (value.length > 0xff)
        throw refused('command.malformed', { step, input, length: value.length }, 'longer than 255 bytes');
      return concat(Uint8Array.of(value.length), value);
    }),
  );
}

/** As many as there are names, and nothing after them. @throws GlobalPlatformError `command.malformed` */
export function decodeFields<Name extends string>(
  step: string,
  data: Uint8Array,
  names: readonly Name[],
): Record<Name, Uint8Array> {
  const fields: Partial<Record<Name, Uint8Array>> = {};
  let at = 0;
  for (const input of names) {
    const length = data[at];
    const next = at + 1 + (length ?? 0);
    if (length === undefined || next > data.length)
      throw refused('command.malformed', { step, input, offset: at }, 'it ends early');
    fields[input] = data.subarray(at + 1, next);
    at = next;
  }
  if (at !== data.length)
    throw refused('command.malformed', { step, input: 'data', offset: at }, 'more than its fields');
  return fields as Record<Name, Uint8Array>;
}

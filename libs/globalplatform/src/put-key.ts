import { createSecretKey } from 'node:crypto';
import { type AesKey, BLOCK, decryptCbc, encryptCbc, keyBytesOf } from './aes.js';
import type { CommandApdu } from './apdu.js';
import { concat, isSame, NOTHING } from './bytes.js';
import { refused } from './errors.js';
import { keyCheckValue } from './scp03-keys.js';

/**
 * Key blocks of PUT KEY in the two forms that are in the field: with the key's length in clear before the cryptogram (GlobalPlatformPro),
 * and without (yubikit). A block whose length is a multiple of 16 has none.
 */
export type KeyBlockForm = 'with-length' | 'bare';

export interface PutKey {
  /** 0 adds a keyset, else the version that is replaced. */
  replaces: number;
  keyVersion: number;
  /** Key identifier of the first: 1 is Key-ENC, 2 Key-MAC, 3 Key-DEK. */
  firstKeyId?: number;
  keys: readonly AesKey[];
  form?: KeyBlockForm;
}

const PUT_KEY = 0xd8;
const AES = 0x88;
const SEVERAL = 0x80;
const STEP = 'PUT KEY';
const CHECK_BYTES = 3;

const bytesOf = (key: AesKey): Uint8Array => (key instanceof Uint8Array ? key : key.export());

/** @param dek  static Key-DEK of the keyset that the channel is open with @throws GlobalPlatformError `put-key.malformed`, `aes.key-length` */
export function putKey(
  { replaces, keyVersion, firstKeyId = 1, keys, form = 'with-length' }: PutKey,
  dek: AesKey,
): CommandApdu {
  if (keys.length === 0) throw refused('put-key.malformed', { step: STEP, input: 'keys' }, 'none');
  const blocks = keys.map((key, i) => keyBlock(key, dek, form, `key ${firstKeyId + i}`));
  const p2 = firstKeyId | (keys.length > 1 ? SEVERAL : 0);
  const data = concat(Uint8Array.of(keyVersion), ...blocks);
  return { cla: 0x80, ins: PUT_KEY, p1: replaces, p2, data, le: 256 };
}

function keyBlock(key: AesKey, dek: AesKey, form: KeyBlockForm, input: string): Uint8Array {
  const length = keyBytesOf(key, input);
  if (form === 'bare' && length % BLOCK !== 0)
    throw refused(
      'put-key.malformed',
      { step: STEP, input, length },
      'a key of 24 bytes needs the form with its length',
    );
  const padded = new Uint8Array(Math.ceil(length / BLOCK) * BLOCK);
  padded.set(bytesOf(key));
  const cryptogram = encryptCbc(dek, padded);
  const component = form === 'bare' ? cryptogram : concat(Uint8Array.of(length), cryptogram);
  padded.fill(0);
  return concat(Uint8Array.of(AES, component.length), component, Uint8Array.of(CHECK_BYTES), keyCheckValue(key));
}

export interface ReceivedKey {
  readonly keyId: number;
  readonly key: AesKey;
  readonly checkValue: Uint8Array;
}

export interface ReceivedKeys {
  readonly replaces: number;
  readonly keyVersion: number;
  readonly keys: readonly ReceivedKey[];
}

/**
 * The card's side. Keys leave as KeyObjects, which no log prints.
 * @throws GlobalPlatformError `put-key.malformed` (6A80), `put-key.type` (9484), `put-key.check-value` (9485)
 */
export function readPutKey({ p1, p2, data = NOTHING }: CommandApdu, dek: AesKey): ReceivedKeys {
  const keyVersion = data[0];
  if (keyVersion === undefined || keyVersion === 0 || keyVersion > 0x7f || p1 > 0x7f)
    throw refused('put-key.malformed', { step: STEP, input: 'key version', offset: 0 }, 'not 1 to 7F');
  const keys: ReceivedKey[] = [];
  const firstKeyId = p2 & ~SEVERAL;
  let at = 1;
  while (at < data.length) {
    const { next, ...read } = readBlock(data, at, dek);
    keys.push({ keyId: firstKeyId + keys.length, ...read });
    at = next;
  }
  if (keys.length === 0 || (keys.length > 1 && (p2 & SEVERAL) === 0))
    throw refused(
      'put-key.malformed',
      { step: STEP, input: 'P2', keys: keys.length },
      'another number of keys than P2 says',
    );
  return { replaces: p1, keyVersion, keys };
}

function readBlock(data: Uint8Array, at: number, dek: AesKey): Omit<ReceivedKey, 'keyId'> & { next: number } {
  const [type, length = 0] = data.subarray(at);
  const place = { step: STEP, input: 'key block', offset: at };
  if (type !== AES) throw refused('put-key.type', place, 'not AES (88)');
  const start = at + 2;
  const checkAt = start + length + 1;
  const next = checkAt + CHECK_BYTES;
  if (next > data.length || data[checkAt - 1] !== CHECK_BYTES)
    throw refused('put-key.malformed', place, 'it ends early, or its check value is not of 3 bytes');
  const component = data.subarray(start, start + length);
  const isBare = length % BLOCK === 0;
  const keyBytes = isBare ? length : component[0]!;
  const cryptogram = isBare ? component : component.subarray(1);
  if (![16, 24, 32].includes(keyBytes) || cryptogram.length !== Math.ceil(keyBytes / BLOCK) * BLOCK)
    throw refused('put-key.malformed', { ...place, length }, 'not a key of 16, 24 or 32 bytes');
  const padded = decryptCbc(dek, cryptogram);
  const key = createSecretKey(padded.subarray(0, keyBytes));
  padded.fill(0);
  const checkValue = data.subarray(checkAt, next);
  if (!isSame(keyCheckValue(key), checkValue))
    throw refused('put-key.check-value', place, 'the key is another than its check value says, or Key-DEK is');
  return { key, checkValue, next };
}

/** What the card answers: the version, and the check value of each key. */
export const putKeyAnswer = ({ keyVersion, keys }: ReceivedKeys): Uint8Array =>
  concat(Uint8Array.of(keyVersion), ...keys.map(({ checkValue }) => checkValue));

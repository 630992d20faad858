import { createSecretKey } from 'node:crypto';
import type { Keyset, ReceivedKeys } from '#globalplatform/index.js';
import type { ElementMemory } from './memory.js';
import type { Changes } from './memory-record.js';

/** Key identifiers of a keyset of SCP03. */
const KEY_IDS = [1, 2, 3] as const;

/*
 * What is kept of a domain's keys, by its AID: `key/<aid>/<version>/<id>` the key, `count/<aid>/<version>` the sequence counter,
 * `default/<aid>` the version that INITIALIZE UPDATE takes when it is asked for none.
 */
const keyName = (domain: string, version: number, id: number): string => `key/${domain}/${version}/${id}`;
const countName = (domain: string, version: number): string => `count/${domain}/${version}`;
const defaultName = (domain: string): string => `default/${domain}`;

const COUNT_BYTES = 3;
const countOf = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(COUNT_BYTES);
  bytes.writeUIntBE(value, 0, COUNT_BYTES);
  return bytes;
};

export interface KeyInformation {
  keyId: number;
  keyVersion: number;
  bytes: number;
}

/** The keys of one security domain, as the memory has them. Keys leave it as KeyObjects, which no log prints. */
export class KeyStore {
  constructor(
    private readonly memory: ElementMemory,
    /** AID of the domain, hex. */
    private readonly domain: string,
  ) {}

  keyset(version: number): Keyset | undefined {
    const [enc, mac, dek] = KEY_IDS.map((id) => this.memory.get(keyName(this.domain, version, id)));
    if (enc === undefined || mac === undefined || dek === undefined) return undefined;
    return { enc: createSecretKey(enc), mac: createSecretKey(mac), dek: createSecretKey(dek) };
  }

  get defaultVersion(): number | undefined {
    return this.memory.get(defaultName(this.domain))?.[0];
  }

  sequenceCounter(version: number): number {
    const bytes = this.memory.get(countName(this.domain, version));
    return bytes === undefined ? 0 : Buffer.from(bytes).readUIntBE(0, COUNT_BYTES);
  }

  /** The counter of a session that begins: it has been counted before it is used. */
  counted(version: number, counter: number): Changes {
    return new Map([[countName(this.domain, version), countOf(counter)]]);
  }

  /** A keyset that is new, or takes another's place; either way it has opened no session yet. */
  put({ replaces, keyVersion, keys }: ReceivedKeys): Changes {
    const changes = new Map<string, Uint8Array | null>();
    if (replaces !== 0 && replaces !== keyVersion) {
      for (const id of KEY_IDS) changes.set(keyName(this.domain, replaces, id), null);
      changes.set(countName(this.domain, replaces), null);
    }
    for (const { keyId, key } of keys)
      changes.set(keyName(this.domain, keyVersion, keyId), key instanceof Uint8Array ? key : key.export());
    changes.set(countName(this.domain, keyVersion), countOf(0));
    const isDefault = this.defaultVersion === undefined || this.defaultVersion === replaces;
    if (isDefault) changes.set(defaultName(this.domain), Uint8Array.of(keyVersion));
    return changes;
  }

  /** In the order in which they were put. */
  information(): KeyInformation[] {
    const prefix = `key/${this.domain}/`;
    return this.memory.names(prefix).map((name) => {
      const [version, id] = name.slice(prefix.length).split('/');
      return { keyId: Number(id), keyVersion: Number(version), bytes: this.memory.get(name)!.length };
    });
  }
}

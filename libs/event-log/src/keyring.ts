import { hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { currentTrial, DomainError } from '#runtime/index.js';
import { afterCommit, Database, type Tx } from './database.js';
import { decrypt, encrypt } from './seal.js';

export type KeyringErrorCode = 'keyring.kek-malformed' | 'keyring.kek-readable-by-others' | 'keyring.kek-wrong';
/** The key-encryption key cannot be used. Details name the file, never its content. */
export class KeyringError extends DomainError<KeyringErrorCode> {}

/** Names a key or secret: `purpose` says what it is for, e.g. `ca`, `grant`; the installation's own have tenant `platform`. */
export interface SecretName {
  tenant: string;
  purpose: string;
  id: string;
}

/** A row that every keyring has, to tell whether a key-encryption key is the right one. */
export const PROBE: SecretName = { tenant: 'platform', purpose: 'probe', id: 'kek' };
const KEY_BYTES = 32;
const SUBJECT = 'subject';
/** How long another process may still open what was forgotten. */
const CACHE_MS = 30_000;
const CACHE_KEYS = 10_000;

/**
 * Reads the key-encryption key, or makes it: 32 bytes as base64url in a 0600 file.
 * @throws KeyringError `keyring.kek-malformed`, `keyring.kek-readable-by-others`
 */
export function loadKek(file: string): Uint8Array {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) makeKek(file);
  if ((statSync(file).mode & 0o077) !== 0) throw new KeyringError('keyring.kek-readable-by-others', { file });
  const kek = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (kek.length !== KEY_BYTES) throw new KeyringError('keyring.kek-malformed', { file });
  return kek;
}

/** Whole or not at all, and by one of the processes that start together. */
function makeKek(file: string): void {
  const made = `${file}.${process.pid}.new`;
  writeFileSync(made, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(made, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(made);
  }
}

/** Keys and secrets outside the log, wrapped by the key-encryption key: a database dump alone opens nothing. */
export class Keyring {
  private readonly cache = new Map<string, { key: Uint8Array; until: number }>();

  private constructor(
    private readonly database: Database,
    private readonly kek: Uint8Array,
  ) {}

  /** @throws KeyringError `keyring.kek-wrong` when this database was wrapped under another key */
  static async open({ database, kek }: { database: Database; kek: Uint8Array }): Promise<Keyring> {
    const keyring = new Keyring(database, kek);
    await database.inTenant(PROBE.tenant, async (tx) => keyring.store(tx, PROBE, Buffer.from('muster'), 'do nothing'));
    await keyring.secret(PROBE);
    return keyring;
  }

  /** Whether the key opens a keyring, of which this is the row `PROBE`. */
  static opens(kek: Uint8Array, wrapped: Uint8Array): boolean {
    return decrypt(kek, wrapped, keyOf(PROBE)) !== undefined;
  }

  /**
   * The keys that seal subjects' personal fields, made in `tx` when they are the first. A forgotten subject gets one
   * that nobody keeps: what is sealed from now on cannot be opened either.
   */
  async sealingKeys(tx: Tx, tenant: string, subjects: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const keys = this.cachedKeys(tenant, subjects);
    const missing = [...new Set(subjects)].filter((subject) => !keys.has(subject)).toSorted();
    if (missing.length === 0) return keys;
    const wrap = (id: string) => encrypt(this.kek, randomBytes(KEY_BYTES), keyOf({ tenant, purpose: SUBJECT, id }));
    await tx.query(
      `insert into ops.keyring (tenant, purpose, id, wrapped)
       select $1, $2, made.* from unnest($3::text[], $4::bytea[]) as made on conflict do nothing`,
      [tenant, SUBJECT, missing, missing.map(wrap)],
    );
    // Not cached: the transaction may roll back, and the keys with it.
    const loaded = await this.load(tx, tenant, SUBJECT, missing);
    for (const subject of missing) keys.set(subject, loaded.get(subject) ?? randomBytes(KEY_BYTES));
    return keys;
  }

  /** Keys by subject; a subject that was forgotten, or never had one, is absent. */
  async subjectKeys(tenant: string, subjects: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const keys = this.cachedKeys(tenant, subjects);
    const missing = subjects.filter((subject) => !keys.has(subject));
    if (missing.length === 0) return keys;
    const loaded = await this.database.inTenant(tenant, (tx) => this.load(tx, tenant, SUBJECT, missing));
    for (const [id, key] of loaded) {
      keys.set(id, key);
      // One that a trial made is gone with it: what is sealed by it later could never be opened.
      if (currentTrial() === undefined) this.keep({ tenant, purpose: SUBJECT, id }, key);
    }
    return keys;
  }

  /** Erases the subject's key, for ever: everything sealed under it reads as `null`. Repeating is harmless. */
  async forget(tenant: string, subject: string, tx?: Tx): Promise<void> {
    const erase = async (on: Tx) => {
      await on.query(
        `insert into ops.keyring (tenant, purpose, id, wrapped) values ($1, $2, $3, null)
         on conflict (tenant, purpose, id) do update set wrapped = null`,
        [tenant, SUBJECT, subject],
      );
      // Until then readers find the key in its row, and may have it cached again.
      afterCommit(on, () => this.cache.delete(keyOf({ tenant, purpose: SUBJECT, id: subject })));
    };
    await (tx === undefined ? this.database.inTenant(tenant, erase) : erase(tx));
  }

  /** A secret that follows from the key-encryption key and its name: the same whenever it is asked for, and stored nowhere. */
  derive(name: string, length: number): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.kek, '', `muster ${name}`, length));
  }

  /** Stores or replaces a secret. On a `Tx` it belongs to that transaction, which must be in the secret's tenant. */
  async putSecret(on: Tx | Database, name: SecretName, bytes: Uint8Array): Promise<void> {
    const put = (tx: Tx) => this.store(tx, name, bytes, 'do update set wrapped = excluded.wrapped');
    await (on instanceof Database ? on.inTenant(name.tenant, put) : put(on));
  }

  /**
   * @param tx a transaction of the secret's tenant, for who has one open: a second connection, waited for while holding
   *   the first, may never come when all of the pool do so
   */
  async secret({ tenant, purpose, id }: SecretName, tx?: Tx): Promise<Uint8Array | undefined> {
    const load = (on: Tx) => this.load(on, tenant, purpose, [id]);
    return (await (tx === undefined ? this.database.inTenant(tenant, load) : load(tx))).get(id);
  }

  /** For what it was the secret of is gone. Repeating is harmless. */
  async dropSecret(tx: Tx, { tenant, purpose, id }: SecretName): Promise<void> {
    await tx.query('delete from ops.keyring where tenant = $1 and purpose = $2 and id = $3', [tenant, purpose, id]);
  }

  private async store(tx: Tx, name: SecretName, bytes: Uint8Array, onConflict: string): Promise<void> {
    await tx.query(
      `insert into ops.keyring (tenant, purpose, id, wrapped) values ($1, $2, $3, $4)
       on conflict (tenant, purpose, id) ${onConflict}`,
      [name.tenant, name.purpose, name.id, encrypt(this.kek, bytes, keyOf(name))],
    );
  }

  private async load(
    tx: Tx,
    tenant: string,
    purpose: string,
    ids: readonly string[],
  ): Promise<Map<string, Uint8Array>> {
    const rows = await tx.query<{ id: string; wrapped: Buffer }>(
      `select id, wrapped from ops.keyring
       where tenant = $1 and purpose = $2 and id = any($3) and wrapped is not null`,
      [tenant, purpose, ids],
    );
    return new Map(rows.map(({ id, wrapped }) => [id, this.unwrap({ tenant, purpose, id }, wrapped)]));
  }

  private unwrap(name: SecretName, wrapped: Uint8Array): Uint8Array {
    const bytes = decrypt(this.kek, wrapped, keyOf(name));
    if (bytes === undefined) throw new KeyringError('keyring.kek-wrong', { ...name });
    return bytes;
  }

  private cachedKeys(tenant: string, subjects: readonly string[]): Map<string, Uint8Array> {
    const keys = new Map<string, Uint8Array>();
    for (const id of subjects) {
      const found = this.cache.get(keyOf({ tenant, purpose: SUBJECT, id }));
      if (found !== undefined && found.until > performance.now()) keys.set(id, found.key);
    }
    return keys;
  }

  private keep(name: SecretName, key: Uint8Array): void {
    if (this.cache.size >= CACHE_KEYS) this.cache.clear();
    this.cache.set(keyOf(name), { key, until: performance.now() + CACHE_MS });
  }
}

/** Associated data of a wrapped key, and its name in the cache. Tenants and purposes hold no slash. */
const keyOf = ({ tenant, purpose, id }: SecretName): string => `${tenant}/${purpose}/${id}`;

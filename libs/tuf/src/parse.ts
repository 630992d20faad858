import { canonicalJson, type JsonObject } from './canonical-json.js';
import { malformed } from './errors.js';
import { Field } from './fields.js';
import { type TufKey } from './keys.js';
import {
  type DelegatedRole,
  type Delegations,
  type Hashes,
  isTopLevelRole,
  type Metadata,
  type MetaFile,
  metadataName,
  type RoleKeys,
  type Root,
  type Scope,
  type Snapshot,
  type TargetFile,
  type Targets,
  type Timestamp,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
  type Unverified,
} from './metadata.js';

/** Longest file name that every file system takes. */
const MAX_FILE_NAME = 255;

/**
 * Reads metadata of the type that the role must have. Verifies nothing but the form; unknown fields are kept in what the
 * signatures are over, and otherwise ignored (TUF specification §4).
 * @param role the name under which it is asked for: of the four, or a delegated role (whose type is `targets`)
 * @throws TufError `tuf.malformed`
 */
export function parseMetadata<T extends TopLevelRole>(bytes: Uint8Array, type: T, role: string = type): Unverified<T> {
  const file = new Field(role, '', json(bytes, role));
  const signed = file.get('signed');
  if (signed.get('_type').string() !== type) signed.get('_type').refuse(`is not ${type}`);
  if (!/^1\.\d+(\.\d+)?$/.test(signed.get('spec_version').string())) signed.get('spec_version').refuse('is not 1.x');
  return {
    signed: READERS[type](signed),
    payload: canonicalJson(signed.value),
    signatures: signatures(file.get('signatures')),
  };
}

function json(bytes: Uint8Array, role: string): unknown {
  try {
    // A byte order mark and broken UTF-8 are refused, as python-tuf does.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw malformed(role, '', 'not JSON in UTF-8');
  }
}

const READERS: { [T in TopLevelRole]: (signed: Field) => Metadata[T] } = { root, timestamp, snapshot, targets };

/** Key ids are unique in the list, even where the threshold would be reached without the double (§4.2.1). */
function signatures(list: Field): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const entry of list.items()) {
    const keyId = entry.get('keyid').string();
    if (found.has(keyId)) entry.refuse('a second signature by one key id');
    found.set(keyId, entry.get('sig').string());
  }
  return found;
}

function common(signed: Field): { version: number; expires: number } {
  return { version: signed.get('version').integer(1), expires: expiry(signed.get('expires')) };
}

/** `YYYY-MM-DDTHH:MM:SSZ`, a day that exists. */
function expiry(field: Field): number {
  const text = field.string();
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== text.replace('Z', '.000Z'))
    field.refuse('is not YYYY-MM-DDTHH:MM:SSZ');
  return ms;
}

function root(signed: Field): Root {
  const roles = signed.get('roles');
  for (const [name, role] of roles.entries()) if (!isTopLevelRole(name)) role.refuse('is not a top-level role');
  return {
    type: 'root',
    ...common(signed),
    consistentSnapshot: signed.find('consistent_snapshot')?.boolean() ?? false,
    keys: keys(signed.get('keys')),
    roles: new Map(TOP_LEVEL_ROLES.map((name) => [name, roleKeys(roles.get(name))])),
  };
}

function timestamp(signed: Field): Timestamp {
  return { type: 'timestamp', ...common(signed), snapshot: metaFile(signed.get('meta').get('snapshot.json')) };
}

function snapshot(signed: Field): Snapshot {
  const meta = new Map<string, MetaFile>();
  for (const [name, file] of signed.get('meta').entries())
    if (name.endsWith('.json')) meta.set(name.slice(0, -'.json'.length), metaFile(file));
  return { type: 'snapshot', ...common(signed), meta };
}

function targets(signed: Field): Targets {
  const delegated = signed.find('delegations');
  const entries = signed.get('targets').entries();
  return {
    type: 'targets',
    ...common(signed),
    targets: new Map(entries.map(([path, file]) => [path, targetFile(path, file)])),
    delegations: delegated === undefined ? undefined : delegations(delegated),
  };
}

function keys(field: Field): ReadonlyMap<string, TufKey> {
  return new Map(field.entries().map(([keyId, key]) => [keyId, tufKey(key)]));
}

function tufKey(key: Field): TufKey {
  return {
    keytype: key.get('keytype').string(),
    scheme: key.get('scheme').string(),
    keyval: { public: key.get('keyval').get('public').string() },
  };
}

function roleKeys(role: Field): RoleKeys {
  const keyIds = role
    .get('keyids')
    .items()
    .map((item) => item.string());
  if (new Set(keyIds).size !== keyIds.length) role.get('keyids').refuse('names a key id twice');
  return { keyIds, threshold: role.get('threshold').integer(1) };
}

function metaFile(file: Field): MetaFile {
  const version = file.get('version').integer(1);
  const given = file.find('hashes');
  return { version, length: file.find('length')?.integer(0), hashes: given === undefined ? undefined : hashes(given) };
}

function targetFile(path: string, file: Field): TargetFile {
  const custom = file.find('custom')?.object() as JsonObject | undefined;
  return { path, length: file.get('length').integer(0), hashes: hashes(file.get('hashes')), custom };
}

function hashes(field: Field): Hashes {
  const entries = field.entries().map(([algorithm, digest]) => [algorithm, digest.string()] as const);
  if (entries.length === 0) field.refuse('is empty');
  return Object.fromEntries(entries);
}

function delegations(field: Field): Delegations {
  const list = field.find('roles');
  const succinct = field.find('succinct_roles');
  if ((list === undefined) === (succinct === undefined)) field.refuse('has not exactly one of roles, succinct_roles');
  const roles = list?.items().map(delegatedRole) ?? [];
  const names = new Set(roles.map((role) => role.name));
  if (names.size !== roles.length) field.refuse('names a role twice');
  return {
    keys: keys(field.get('keys')),
    roles,
    bins:
      succinct === undefined
        ? undefined
        : {
            ...roleKeys(succinct),
            bitLength: succinct.get('bit_length').integer(1, 32),
            namePrefix: roleName(succinct.get('name_prefix'), 9), // the longest suffix is -ffffffff
          },
  };
}

function delegatedRole(role: Field): DelegatedRole {
  return {
    ...roleKeys(role),
    name: roleName(role.get('name')),
    terminating: role.get('terminating').boolean(),
    scope: scope(role),
  };
}

/** A role's name is a file's name on every client: it must be one, and not that of a top-level role. */
function roleName(field: Field, room = 0): string {
  const name = field.string();
  if (name === '' || isTopLevelRole(name)) field.refuse('is not a name for a delegated role');
  if (/\p{Surrogate}/u.test(name) || metadataName(name).length + room > MAX_FILE_NAME) field.refuse('is no file name');
  return name;
}

function scope(role: Field): Scope {
  const paths = role.find('paths');
  const prefixes = role.find('path_hash_prefixes');
  if (paths !== undefined && prefixes === undefined) return { paths: paths.items().map((item) => item.string()) };
  if (prefixes !== undefined && paths === undefined)
    return { pathHashPrefixes: prefixes.items().map((item) => item.string()) };
  return role.refuse('has not exactly one of paths, path_hash_prefixes');
}

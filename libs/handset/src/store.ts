/**
 * What the agent remembers, as named blobs. Calls are synchronous, so that nothing else happens between a fact and its
 * durability; the blobs are small, and the large ones (downloads) are appended without a flush for each piece.
 */
export interface Store {
  /** The blob as last written, or undefined. */
  read(name: string): Uint8Array | undefined;
  /** The generation before it: what to trust when the current one does not parse. */
  readPrevious(name: string): Uint8Array | undefined;
  /** Replaces the blob; durable when it returns, and never half-written, whenever the process or the power goes. */
  write(name: string, bytes: Uint8Array): void;
  /** Removes a blob and its generations; harmless when absent. */
  remove(name: string): void;
  /** Names below a folder, sorted, without generations and temporary files. */
  names(folder: string): string[];
  sizeOf(name: string): number | undefined;
  /** Its bytes, in pieces. */
  chunks(name: string): AsyncIterable<Uint8Array>;
  /** Opens for appending, after cutting to `keepBytes`. */
  appendTo(name: string, keepBytes?: number): Appender;
  /** Moves a finished blob; durable when it returns. */
  rename(from: string, to: string): void;
  /** What may still be written, bytes; undefined when nobody knows. */
  freeBytes(): number | undefined;
  /** A real file for the hooks, which are other programs. */
  path(name: string): string;
}

export interface Appender {
  write(bytes: Uint8Array): void;
  /** Durable when it returns. */
  sync(): void;
  close(): void;
}

/** Reads a JSON blob; falls back to the generation before when the current one does not parse or is not what `check` knows. */
export function readJson<T>(store: Store, name: string, check: (value: unknown) => value is T): T | undefined {
  for (const bytes of [store.read(name), store.readPrevious(name)]) {
    const value = parseJson(bytes);
    if (check(value)) return value;
  }
  return undefined;
}

export const writeJson = (store: Store, name: string, value: unknown): void =>
  store.write(name, Buffer.from(`${JSON.stringify(value)}\n`));

/** True for an object with these fields, whatever they are. */
export const hasFields = <K extends string>(value: unknown, ...fields: readonly K[]): value is Record<K, unknown> =>
  typeof value === 'object' && value !== null && fields.every((field) => field in value);

/** The value, or undefined when the bytes are not JSON, or not there: the caller's check refuses all alike. */
export function parseJson(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString());
  } catch {
    return undefined;
  }
}

import {
  type ContentTarget,
  formatTrigger,
  INBOX_HEADER,
  INTERVAL_HEADER,
  LIMITS,
  TRIGGER_HEADER,
  type TriggerName,
} from '#device-protocol/index.js';
import { type Clock } from '#runtime/index.js';
import { checkTarget, drive, type TargetFile, targetName, TufClient, TufError, type TufPorts } from '#tuf/index.js';
import {
  type Catalogue,
  type CatalogueClient,
  type CataloguePoll,
  type CatalogueSource,
  NO_SCHEMA,
  type OfferedContent,
} from './catalogue.js';
import { readBody, refuseFailure } from './device-api.js';
import { HandsetError } from './errors.js';
import { readGrantKeys } from './grant-keys.js';
import { type HttpAnswer, type Transport } from './ports.js';
import { parseJson, type Store } from './store.js';
import { httpsTransport } from './transport.js';

const POLICY_BYTES = LIMITS.tufRoleFile;
const metadataFile = (name: string): string => `tuf/${name}`;
const documentFile = ({ hashes }: TargetFile): string => `documents/${hashes.sha256 ?? hashes.sha512 ?? 'none'}`;

/** The root that came with enrolment: where trust begins. */
export const trustRoot = (store: Store, root: string): void =>
  store.write(metadataFile('root.json'), Buffer.from(root));

/**
 * The availability request: a conditional GET of the timestamp that says which rule woke the handset, and nothing of its
 * attributes. 304 ends it while everything kept still verifies at this hour; otherwise the full client workflow
 * runs, root N + 1 first, with the timestamp that has just come.
 * @throws TufError what the rules refuse; HandsetError `transport.*`, `server.*`
 */
export async function pollCatalogue(
  source: CatalogueSource,
  transport: Transport,
  { trigger, etag }: { trigger: TriggerName; etag: string | undefined },
): Promise<CataloguePoll> {
  const { clock, tuf } = source;
  const headers = {
    [TRIGGER_HEADER]: formatTrigger(trigger),
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
  };
  const url = `${tuf}timestamp.json`;
  const answer = await transport.send({ method: 'GET', url, headers, maxBytes: LIMITS.tufTimestamp });
  await refuseFailure(answer, clock);
  const told = whatHeadersTell(answer);
  const timestamp = answer.status === 304 ? (answer.discard(), undefined) : await readBody(answer);
  if (timestamp === undefined) {
    const kept = await keptCatalogue(source, transport).catch(unlessRefused);
    if (kept !== undefined) return { catalogue: kept, isChanged: false, ...told, etag: told.etag ?? etag };
  }
  const ports = networkPorts(source, transport, timestamp);
  const client = new TufClient({ root: keptRoot(source.store), now: clock.now() });
  await drive(client.refresh(), ports);
  return { catalogue: await readCatalogue(client, ports, source, transport), isChanged: true, ...told };
}

/** The update framework's client over the store: what is offered is what two people's keys stand for. */
export const tufCatalogue = (): CatalogueClient => ({ poll: pollCatalogue, kept: keptCatalogue });

/** The whole workflow over a connection without a client certificate; what comes is kept as by any other poll. */
export async function refreshAnonymously(
  source: CatalogueSource,
  server: { origin: string; ca: string },
): Promise<void> {
  const transport = httpsTransport(server);
  try {
    const ports = networkPorts(source, transport);
    const client = new TufClient({ root: keptRoot(source.store), now: source.clock.now() });
    await drive(client.refresh(), ports);
    await readCatalogue(client, ports, source, transport);
  } finally {
    transport.close();
  }
}

/** A kept file that is missing or does not verify any more is no failure here: it is fetched again. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof TufError) return undefined;
  throw error;
}

export function whatHeadersTell({
  headers,
}: HttpAnswer): Pick<CataloguePoll, 'etag' | 'inboxEtag' | 'intervalSeconds'> {
  const interval = headers[INTERVAL_HEADER];
  const isSeconds = interval !== undefined && /^[1-9]\d{0,6}$/.test(interval);
  const intervalSeconds = isSeconds ? Number(interval) : undefined;
  return { etag: headers.etag, inboxEtag: headers[INBOX_HEADER], intervalSeconds };
}

/**
 * The catalogue from what is kept. Without a transport nothing is fetched, and what is missing is a refusal.
 * @throws TufError `tuf.expired` among others
 */
export async function keptCatalogue(source: CatalogueSource, transport?: Transport): Promise<Catalogue> {
  const ports = transport === undefined ? offlinePorts(source.store) : networkPorts(source, transport);
  const client = new TufClient({ root: keptRoot(source.store), now: source.clock.now() });
  await drive(client.loadKept(), ports);
  return readCatalogue(client, ports, source, transport);
}

/** The newest kept root that parses; both generations were trusted when they were written. */
function keptRoot(store: Store): Uint8Array {
  const name = metadataFile('root.json');
  const root = [store.read(name), store.readPrevious(name)].find((bytes) => bytes && parseJson(bytes) !== undefined);
  if (root === undefined) throw new HandsetError('enrol.missing', {}, 'no trusted root is kept: enrol first');
  return root;
}

function offlinePorts(store: Store): TufPorts {
  return {
    load: (name) => Promise.resolve(store.read(metadataFile(name))),
    store: (name, bytes) => Promise.resolve(store.write(metadataFile(name), bytes)),
    remove: (name) => Promise.resolve(store.remove(metadataFile(name))),
    fetch: () => Promise.resolve(undefined),
  };
}

/** @param timestamp one that has just been fetched, to be taken instead of a second request */
function networkPorts({ store, clock, tuf }: CatalogueSource, transport: Transport, timestamp?: Uint8Array): TufPorts {
  return {
    ...offlinePorts(store),
    fetch: (name, maxLength) =>
      name === 'timestamp.json' && timestamp !== undefined
        ? Promise.resolve(timestamp)
        : fetchFile({ transport, clock, url: tuf + name, maxLength }),
  };
}

/** Undefined when the repository does not have the file (404, 403). Over the cap the rules get one byte too many to see. */
export async function fetchFile(wanted: {
  transport: Transport;
  clock: Clock;
  url: string;
  maxLength: number;
}): Promise<Uint8Array | undefined> {
  const { transport, clock, url, maxLength } = wanted;
  const answer = await transport.send({ method: 'GET', url, maxBytes: maxLength });
  if (answer.status === 404 || answer.status === 403) return (answer.discard(), undefined);
  await refuseFailure(answer, clock);
  return readBody(answer);
}

async function readCatalogue(
  client: TufClient,
  ports: TufPorts,
  source: CatalogueSource,
  transport: Transport | undefined,
): Promise<Catalogue> {
  const targets = await drive(client.targets(), ports);
  const open = (file: TargetFile) => targetBytes(client, file, source, transport);
  const schemaFile = newest(targets, 'schema/');
  const rulesFile = newest(targets, 'rules/');
  const keysFile = targets.find(({ path }) => path === 'policy/grant-keys');
  const schema = schemaFile === undefined ? NO_SCHEMA : source.engine.checkSchema(parseJson(await open(schemaFile)));
  const rules = rulesFile === undefined ? undefined : await open(rulesFile);
  const grantKeys = keysFile === undefined ? new Map<never, never>() : readGrantKeys(await open(keysFile));
  forgetOtherDocuments(source.store, [schemaFile, rulesFile, keysFile]);
  const contents = targets.flatMap(offeredContent);
  return { snapshotVersion: client.trusted.snapshot?.version ?? 0, contents, schema, rules, grantKeys };
}

/** The target with the highest version behind the prefix. */
function newest(targets: readonly TargetFile[], prefix: string): TargetFile | undefined {
  const version = ({ path }: TargetFile) => Number(path.slice(prefix.length));
  const versions = targets.filter(
    ({ path }) => path.startsWith(prefix) && /^\d{1,15}$/.test(path.slice(prefix.length)),
  );
  return versions.sort((a, b) => version(b) - version(a))[0];
}

/** A small target of the policy role, kept by its digest; checked each time that it is read. */
async function targetBytes(
  client: TufClient,
  file: TargetFile,
  { store, tuf, clock }: CatalogueSource,
  transport: Transport | undefined,
): Promise<Uint8Array> {
  const kept = store.read(documentFile(file));
  if (kept !== undefined && isTarget(file, kept)) return kept;
  if (file.length > POLICY_BYTES) throw new TufError('tuf.too-large', { path: file.path });
  const url = `${tuf}targets/${targetName(file, client.trusted.root.consistentSnapshot)}`;
  const wanted = transport && { transport, clock, url, maxLength: file.length };
  const bytes = wanted && (await fetchFile(wanted));
  if (bytes === undefined) throw new TufError('tuf.unavailable', { path: file.path });
  checkTarget(file, bytes);
  store.write(documentFile(file), bytes);
  return bytes;
}

function isTarget(file: TargetFile, bytes: Uint8Array): boolean {
  try {
    checkTarget(file, bytes);
    return true;
  } catch (error) {
    if (error instanceof TufError) return false;
    throw error;
  }
}

function forgetOtherDocuments(store: Store, files: readonly (TargetFile | undefined)[]): void {
  const wanted = new Set(files.flatMap((file) => (file === undefined ? [] : [documentFile(file)])));
  for (const name of store.names('documents').map((document) => `documents/${document}`))
    if (!wanted.has(name)) store.remove(name);
}

/** A content whose `custom` is not what we know is not for this agent; others are not held up by it. */
function offeredContent(target: TargetFile): OfferedContent[] {
  const { path, custom } = target;
  const contentId = path.startsWith('content/') ? path.slice('content/'.length) : undefined;
  if (contentId === undefined || !/^[0-9A-Za-z-]{1,64}$/.test(contentId) || !isContentTarget(custom)) return [];
  return [{ contentId, target, description: custom.description, offers: custom.offers }];
}

function isContentTarget(value: unknown): value is ContentTarget {
  if (typeof value !== 'object' || value === null || !('description' in value) || !('offers' in value)) return false;
  const { description, offers } = value;
  return typeof description === 'object' && description !== null && Array.isArray(offers) && offers.every(isOffer);
}

const isOffer = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'campaign' in value &&
  typeof value.campaign === 'string' &&
  'selector' in value &&
  typeof value.selector === 'string' &&
  'salt' in value &&
  'start' in value &&
  'windows' in value &&
  Array.isArray(value.windows);

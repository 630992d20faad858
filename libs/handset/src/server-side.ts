import {
  type AvailabilityAnswer,
  AVAILABILITY_LIMITS as LIMITS,
  type AvailableContent,
  contentTargetPath,
  formatTrigger,
  type Offer,
  TRIGGER_HEADER,
  type TriggerName,
} from '#device-protocol/index.js';
import { type Log } from '#runtime/index.js';
import { collectAttributes } from './attributes.js';
import { type AgentOptions } from './agent.js';
import { type Catalogue, type CataloguePoll, type CatalogueSource, type OfferedContent } from './catalogue.js';
import { whatHeadersTell } from './catalogue-client.js';
import { exchange, jsonOf } from './device-api.js';
import { HandsetError, isRefusal } from './errors.js';
import { type Hooks, type Transport } from './ports.js';
import { type AgentState, isOpenTo } from './state.js';
import { hasFields, readJson, type Store, writeJson } from './store.js';
import { answersAtHand, type AtHand } from './at-hand.js';

type Base = Pick<AgentOptions, 'catalogue' | 'connect' | 'rules'>;

export interface ServerSideOptions extends Base {
  hooks: Hooks;
  /** IANA zone of the device. */
  zone: string;
  log: Log;
  /** Beside it the handset compares what the catalogue offers, whose selectors the server does not look at for it. */
  alsoOnDevice: boolean;
}

const URL = '/d/v1/availability';
/** Contents that ride along, in base64, and what is said of them and of others. */
const ANSWER_BYTES = 2_097_152;
const FILE = 'offered.json';

/**
 * The server-side exchange, for an agent whose owner lets it tell what the device is: each time that a stored rule asks, the
 * attributes go out and what fits comes back. In place of the agent's catalogue; rules, schemas and keys still come by the
 * signed one, which is fetched when the answer says that it has changed.
 */
export function serverSide(options: ServerSideOptions): Pick<AgentOptions, 'catalogue' | 'connect'> {
  const atHand: AtHand = new Map();
  return {
    connect: (identity) => answersAtHand(options.connect(identity), atHand),
    catalogue: {
      poll: (source, transport, ask) => poll({ ...options, source, transport, atHand }, ask),
      kept: async (source, transport) =>
        withOffered(await options.catalogue.kept(source, transport), readOffered(source.store), options),
    },
  };
}

interface Asking extends ServerSideOptions {
  source: CatalogueSource;
  transport: Transport;
  atHand: AtHand;
}

/** @throws HandsetError `server.*`, `transport.*`; TufError what the rules of the catalogue refuse */
async function poll(asking: Asking, ask: { trigger: TriggerName; etag: string | undefined }): Promise<CataloguePoll> {
  const { catalogue: base, source, transport, atHand } = asking;
  const kept = await base.kept(source).catch(unlessRefused);
  const first = kept === undefined ? await base.poll(source, transport, ask) : undefined;
  const { schema } = (kept ?? first?.catalogue)!;
  let { answer, told } = await tell(asking, ask.trigger, schema);
  const again = triedAgain(source.store, answer);
  if (again.length > 0) ({ answer, told } = await tell(asking, ask.trigger, schema, again));
  const known = first?.etag ?? ask.etag;
  const news = answer.catalogue === known ? first : await base.poll(source, transport, { ...ask, etag: known });
  atHand.clear();
  for (const content of answer.contents) if (content.transmitted !== undefined) atHand.set(content.contentId, content);
  keepOffered(source.store, answer.contents);
  return {
    ...told,
    catalogue: withOffered((news?.catalogue ?? kept)!, answer.contents, asking),
    isChanged: news?.isChanged === true || atHand.size > 0,
    etag: answer.catalogue,
  };
}

/** What is kept and good no more, or was never there, is no failure here. */
function unlessRefused(error: unknown): undefined {
  if (isRefusal(error)) return undefined;
  throw error;
}

async function tell(
  { source, transport, hooks, zone, rules: engine, log }: Asking,
  trigger: TriggerName,
  schema: Catalogue['schema'],
  wanted: readonly string[] = [],
) {
  const { attributes } = await collectAttributes(hooks, schema, { engine, log });
  const except = heldOrDeclined(source.store)
    .filter((contentId) => !wanted.includes(contentId))
    .slice(-LIMITS.except);
  const body = JSON.stringify({ attributes, zone, except }, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  const headers = { [TRIGGER_HEADER]: formatTrigger(trigger) };
  const asked = { method: 'POST', url: URL, body, headers, maxBytes: ANSWER_BYTES } as const;
  const response = await exchange(transport, source.clock, asked);
  const answer = await jsonOf(response);
  if (!isAnswer(answer)) throw new HandsetError('server.malformed', { url: URL });
  const { inboxEtag, intervalSeconds } = whatHeadersTell(response);
  return { answer, told: { inboxEtag, intervalSeconds } };
}

const isState = (value: unknown): value is Pick<AgentState, 'contents' | 'declined'> =>
  hasFields(value, 'contents', 'declined');

/** Content ids, as the agent's state was last written. */
function heldOrDeclined(store: Store): string[] {
  const state = readJson(store, 'state.json', isState);
  const declined = Object.keys(state?.declined ?? {}).map((offer) => offer.split(' ')[0]!);
  return [...new Set([...declined, ...Object.keys(state?.contents ?? {})])];
}

/** Contents that came to nothing here, or were declined, and that another campaign brings: named only, for they were excepted. */
function triedAgain(store: Store, { contents }: AvailabilityAnswer): string[] {
  const state = readJson(store, 'state.json', isState);
  return contents
    .filter(({ transmitted, contentId, campaignId }) => {
      const isDeclined = state?.declined[`${contentId} ${campaignId}`] !== undefined;
      return transmitted === undefined && !isDeclined && isOpenTo(state?.contents[contentId], campaignId);
    })
    .map(({ contentId }) => contentId);
}

/** A content that both exchanges offer is the server's: it has looked at more. */
function withOffered(
  catalogue: Catalogue,
  offered: readonly AvailableContent[],
  { alsoOnDevice }: Pick<ServerSideOptions, 'alsoOnDevice'>,
): Catalogue {
  const ids = new Set(offered.map(({ contentId }) => contentId));
  const own = alsoOnDevice ? catalogue.contents.filter(({ contentId }) => !ids.has(contentId)) : [];
  return { ...catalogue, contents: [...offered.map(offeredContent), ...own] };
}

/** The server has compared and asked every gate: nothing is left to compare here. */
const ANY: Omit<Offer, 'campaign' | 'priority'> = {
  selector: 'true',
  salt: '',
  waveUpTo: 10_000,
  holdOut: 0,
  start: '1970-01-01T00:00:00.000Z',
  end: null,
  windows: [],
};

function offeredContent({
  contentId,
  campaignId: campaign,
  priority,
  description,
  sizeBytes: length,
  sha256,
}: AvailableContent): OfferedContent {
  const target = { path: contentTargetPath(contentId), length, hashes: { sha256 } };
  return { contentId, target, description, offers: [{ ...ANY, campaign, priority }] };
}

/** For what goes on without a poll, after a restart too; the bytes are asked for again then. */
function keepOffered(store: Store, contents: readonly AvailableContent[]): void {
  const named = contents.map(({ transmitted: _, ...content }) => content);
  if (JSON.stringify(readOffered(store)) !== JSON.stringify(named)) writeJson(store, FILE, { contents: named });
}

const readOffered = (store: Store): readonly AvailableContent[] => readJson(store, FILE, isOffered)?.contents ?? [];

const isOffered = (value: unknown): value is { contents: readonly AvailableContent[] } =>
  hasFields(value, 'contents') && Array.isArray(value.contents) && value.contents.every(isAvailable);

const isAnswer = (value: unknown): value is AvailabilityAnswer =>
  isOffered(value) && hasFields(value, 'catalogue') && typeof value.catalogue === 'string';

/** Ids become names of files, so they are held to a form. */
const isAvailable = (value: unknown): boolean =>
  hasFields(value, 'contentId', 'campaignId', 'priority', 'description', 'sizeBytes', 'sha256') &&
  [value.contentId, value.campaignId].every((id) => typeof id === 'string' && /^[0-9A-Za-z-]{1,64}$/.test(id)) &&
  Number.isSafeInteger(value.sizeBytes) &&
  Number(value.sizeBytes) >= 0 &&
  typeof value.sha256 === 'string' &&
  /^[0-9a-f]{64}$/.test(value.sha256) &&
  typeof value.description === 'object' &&
  value.description !== null;

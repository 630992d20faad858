import { type ContentTarget, type TriggerName } from '#device-protocol/index.js';
import { type AttributeSchema } from '#matching/index.js';
import { type Clock } from '#runtime/index.js';
import { type TargetFile } from '#tuf/index.js';
import { type GrantKeys } from './grant.js';
import { type Transport } from './ports.js';
import { type Store } from './store.js';

/** What the handset trusts of its channel's repository, verified down to the last target. */
export interface Catalogue {
  snapshotVersion: number;
  contents: readonly OfferedContent[];
  schema: AttributeSchema;
  /** The channel's newest rule set, as it was signed; undefined while it has none. */
  rules: Uint8Array | undefined;
  grantKeys: GrantKeys;
}

export interface OfferedContent extends ContentTarget {
  contentId: string;
  target: TargetFile;
}

export interface CataloguePoll {
  catalogue: Catalogue;
  isChanged: boolean;
  etag: string | undefined;
  /** ETag of the inbox; absent when a cache answered, which does not know who asks. */
  inboxEtag: string | undefined;
  intervalSeconds: number | undefined;
}

export interface CatalogueSource {
  store: Store;
  clock: Clock;
  /** Path of the repository at the server, with a slash at its end. */
  tuf: string;
  engine: { checkSchema(value: unknown): AttributeSchema };
}

export const NO_SCHEMA: AttributeSchema = { version: 0, attributes: {} };

/** How the agent learns what its channel offers. Whatever it answers is verified, down to the last target. */
export interface CatalogueClient {
  /** The availability request: which rule woke the handset, and nothing of its attributes. */
  poll(
    source: CatalogueSource,
    transport: Transport,
    ask: { trigger: TriggerName; etag: string | undefined },
  ): Promise<CataloguePoll>;
  /** From what is kept; without a transport nothing is fetched, and what is missing is a refusal. */
  kept(source: CatalogueSource, transport?: Transport): Promise<Catalogue>;
}

import type { EventRecord, MaybeFaulty } from '#event-log/index.js';
import type { AttributeSchema, RuleSet } from '#matching/index.js';
import { type Caps, NO_CAPS } from './caps.js';
import { type CampaignState, evolve, noCampaign } from './campaign.js';
import { type ContentState, evolveContent, noContent } from './content.js';
import type { CampaignEvent, CatalogueEvent, ContentEvent } from './events.js';
import type { GateCheck } from './offers.js';
import { EMPTY_SCHEMA } from './vocabulary.js';

/** Everything of one tenant that the catalogue, the gates and the timer decide by. */
export interface TenantBoard {
  contents: Map<string, ContentState>;
  campaigns: Map<string, CampaignState>;
  schema: AttributeSchema;
  /** How many people have to approve a campaign. */
  approvals: number;
  /** Of all campaigns together. */
  caps: Caps;
  /** By channel. */
  rules: Map<string, RuleSet>;
  /** By channel: what was last published. */
  catalogues: Map<string, { version: number; digest: string }>;
  /** By channel: digests of what the server has selected from; each is recorded once. */
  selections: Map<string, Set<string>>;
  /** Grows with every event that a catalogue can follow from. */
  revision: number;
}

const emptyBoard = (): TenantBoard => ({
  contents: new Map(),
  campaigns: new Map(),
  schema: EMPTY_SCHEMA,
  approvals: 0,
  caps: NO_CAPS,
  rules: new Map(),
  catalogues: new Map(),
  selections: new Map(),
  revision: 0,
});

type BoardEvent = ContentEvent | CampaignEvent | CatalogueEvent;
export const BOARD_TOPICS = ['muster.content', 'muster.campaign'] as const;

/**
 * The fold of `muster.content` and `muster.campaign` over all tenants, kept in memory: these topics hold what people
 * decide, some events a day, and nothing per device. Events of one stream come in order; between streams any order will do.
 */
export class Board {
  private readonly tenants = new Map<string, TenantBoard>();
  /** Streams with a record that cannot be read. */
  private readonly faulty = new Set<string>();

  tenant(tenant: string): TenantBoard {
    let board = this.tenants.get(tenant);
    if (board === undefined) this.tenants.set(tenant, (board = emptyBoard()));
    return board;
  }

  /** A content or campaign that may have changed unreadably is not offered; everything else goes on. */
  apply(record: MaybeFaulty): void {
    const stream = `${record.topic} ${record.stream}`;
    if (record.fault !== undefined) {
      this.faulty.add(stream);
      const board = this.tenant(record.tenant);
      board.contents.delete(record.subject);
      board.campaigns.delete(record.subject);
      board.revision += 1;
    }
    if (this.faulty.has(stream)) return;
    apply(this.tenant(record.tenant), record as EventRecord<BoardEvent>);
  }
}

function apply(board: TenantBoard, { subject, ...event }: EventRecord<BoardEvent>): void {
  if (event.type !== 'CataloguePublished' && event.type !== 'SelectionChanged') board.revision += 1;
  if (POLICIES.has(event.type)) return setPolicy(board, event as Policy);
  switch (event.type) {
    case 'ContentPublished':
    case 'ContentWithdrawn':
      board.contents.set(subject, evolveContent(board.contents.get(subject) ?? noContent, event as ContentEvent));
      return;
    case 'RuleSetPublished': {
      const { channel, rules } = event.data as { channel: string; rules: RuleSet };
      board.rules.set(channel, rules);
      return;
    }
    case 'CataloguePublished': {
      const { channel, version, digest } = event.data as { channel: string; version: number; digest: string };
      board.catalogues.set(channel, { version, digest });
      return;
    }
    case 'SelectionChanged': {
      const { channel, digest } = event.data as { channel: string; digest: string };
      board.selections.set(channel, (board.selections.get(channel) ?? new Set()).add(digest));
      return;
    }
    default: {
      const before = board.campaigns.get(subject) ?? noCampaign;
      board.campaigns.set(subject, evolve(before, event as CampaignEvent));
    }
  }
}

type Policy = Extract<CatalogueEvent, { type: 'AttributeSchemaPublished' | 'ReviewPolicySet' | 'NetworkCapsSet' }>;

const POLICIES: ReadonlySet<string> = new Set<Policy['type']>([
  'AttributeSchemaPublished',
  'ReviewPolicySet',
  'NetworkCapsSet',
]);

/** Of the whole tenant. */
function setPolicy(board: TenantBoard, { type, data }: Policy): void {
  if (type === 'AttributeSchemaPublished') board.schema = data.schema as AttributeSchema;
  else if (type === 'ReviewPolicySet') board.approvals = data.approvals;
  else board.caps = data;
}

/** What the gates are checked by, for one offer that a device names. */
export const checkOf = (
  { contents, campaigns }: TenantBoard,
  {
    channel,
    deviceId,
    side,
    zone,
    isUnderWay,
  }: Pick<GateCheck, 'channel' | 'deviceId' | 'side' | 'zone' | 'isUnderWay'>,
  { contentId, campaignId }: { contentId: string; campaignId: string },
  now: number,
): GateCheck => ({
  contentId,
  content: contents.get(contentId),
  campaign: campaigns.get(campaignId),
  channel,
  deviceId,
  now,
  side,
  zone,
  isUnderWay,
});

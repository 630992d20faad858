import type { EventRecord } from '#event-log/index.js';
import type { AttributeSchema, RuleSet } from '#matching/index.js';
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
  /** By channel. */
  rules: Map<string, RuleSet>;
  /** By channel: what was last published. */
  catalogues: Map<string, { version: number; digest: string }>;
  /** Grows with every event that a catalogue can follow from. */
  revision: number;
}

const emptyBoard = (): TenantBoard => ({
  contents: new Map(),
  campaigns: new Map(),
  schema: EMPTY_SCHEMA,
  rules: new Map(),
  catalogues: new Map(),
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

  tenant(tenant: string): TenantBoard {
    let board = this.tenants.get(tenant);
    if (board === undefined) this.tenants.set(tenant, (board = emptyBoard()));
    return board;
  }

  apply(record: EventRecord): void {
    apply(this.tenant(record.tenant), record as EventRecord<BoardEvent>);
  }
}

function apply(board: TenantBoard, { subject, ...event }: EventRecord<BoardEvent>): void {
  if (event.type !== 'CataloguePublished') board.revision += 1;
  switch (event.type) {
    case 'ContentPublished':
    case 'ContentWithdrawn':
      board.contents.set(subject, evolveContent(board.contents.get(subject) ?? noContent, event as ContentEvent));
      return;
    case 'AttributeSchemaPublished':
      board.schema = (event.data as { schema: AttributeSchema }).schema;
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
    default:
      board.campaigns.set(subject, evolve(board.campaigns.get(subject) ?? noCampaign, event as CampaignEvent));
  }
}

/** What the gates are checked by, for one offer that a device names. */
export const checkOf = (
  { contents, campaigns }: TenantBoard,
  { channel, deviceId }: { channel: string; deviceId: string },
  { contentId, campaignId }: { contentId: string; campaignId: string },
  now: number,
): GateCheck => ({
  contentId,
  content: contents.get(contentId),
  campaign: campaigns.get(campaignId),
  channel,
  deviceId,
  now,
});

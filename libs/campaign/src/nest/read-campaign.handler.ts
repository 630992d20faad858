import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type EventRecord, type EventShape, PostgresLog } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { Cursors, type Page, type PageQuery } from '#runtime/nest/runtime.module.js';
import { campaignDecider } from '../decide.js';
import { contentDecider } from '../content.js';
import { CampaignError } from '../errors.js';
import type { Caps } from '../caps.js';
import type { CampaignEvent, ContentEvent } from '../events.js';
import type { ReviewPolicy } from '../vocabulary.js';
import type { CampaignState, CampaignStatus } from '../campaign.js';
import { type CampaignView, viewOfCampaign } from './campaign-view.dto.js';
import { Channels } from './channels.js';
import { type ContentView, viewOfContent } from './content-view.dto.js';
import { FirstChannel } from './first-channel.js';
import { LiveBoard } from './live-board.js';
import { RepositoryKeeper } from './repository-keeper.js';
import type { ChannelView, KeyStatus, RuleSetView, SchemaView } from './vocabulary-view.dto.js';

/** One thing, by its id: read from its stream, so that who has just changed it sees the change. */
export class GetOne<View> extends Query<View> {
  constructor(
    readonly kind: 'content' | 'campaign',
    readonly tenant: string,
    readonly id: string,
  ) {
    super();
  }
}
export const getContent = (tenant: string, id: string) => new GetOne<ContentView>('content', tenant, id);
export const getCampaign = (tenant: string, id: string) => new GetOne<CampaignView>('campaign', tenant, id);

@QueryHandler(GetOne)
export class GetOneHandler implements IQueryHandler<GetOne<unknown>> {
  constructor(@Inject(PostgresLog) private readonly log: PostgresLog) {}

  /** @throws CampaignError `content.unknown`, `campaign.unknown`, for another tenant's alike */
  execute({ kind, tenant, id }: GetOne<unknown>): Promise<unknown> {
    return kind === 'content' ? this.content(tenant, id) : this.campaign(tenant, id);
  }

  private async content(tenant: string, contentId: string): Promise<ContentView> {
    const records = await this.log.readStream<ContentEvent>('muster.content', tenant, contentId);
    if (records.length === 0) throw new CampaignError('content.unknown', { contentId }, 'no such content');
    const state = eventsOf(records).reduce(contentDecider.evolve, contentDecider.initial);
    return viewOfContent(state, records.length);
  }

  private async campaign(tenant: string, campaignId: string): Promise<CampaignView> {
    const records = await this.log.readStream<CampaignEvent>('muster.campaign', tenant, campaignId);
    if (records.length === 0) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
    const state = eventsOf(records).reduce(campaignDecider.evolve, campaignDecider.initial);
    return viewOfCampaign(campaignId, state, records.length);
  }
}

/** A record holds type and data of one member of the union: the log's schema said so when it was written. */
const eventsOf = <E extends EventShape>(records: readonly EventRecord<E>[]): E[] =>
  records.map(({ type, data }) => ({ type, data }) as unknown as E);

/** One page of a tenant's contents or campaigns, from the read models; newest first. */
export class ListOf<View> extends Query<Page<View>> {
  constructor(
    readonly list: 'contents' | 'campaigns',
    readonly tenant: string,
    readonly page: PageQuery,
    readonly filter: CampaignFilter = {},
  ) {
    super();
  }
}
export const listContents = (tenant: string, page: PageQuery) => new ListOf<ContentView>('contents', tenant, page);
export const listCampaigns = (tenant: string, page: PageQuery, filter: CampaignFilter) =>
  new ListOf<CampaignView>('campaigns', tenant, page, filter);

/** Which campaigns; all of it must hold. */
export interface CampaignFilter {
  status?: readonly CampaignStatus[];
  /** Anywhere in its name, in any case. */
  q?: string;
  /** In review, and this caller has neither written nor approved it. */
  awaiting?: string;
}

interface ContentRow {
  body: Omit<ContentView, 'withdrawn' | 'version'>;
  withdrawn: boolean;
}
interface CampaignRow {
  campaign_id: string;
  drafted_at: Date;
  state: CampaignState;
  version: number;
}

@QueryHandler(ListOf)
export class ListOfHandler implements IQueryHandler<ListOf<unknown>> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  execute({ list, tenant, page, filter }: ListOf<unknown>): Promise<Page<unknown>> {
    return list === 'contents' ? this.contents(tenant, page) : this.campaigns(tenant, page, filter);
  }

  private async contents(tenant: string, page: PageQuery): Promise<Page<ContentView>> {
    const list = `contents:${tenant}`;
    const rows = await this.rows<ContentRow>('p_content_v1', CONTENT_KEY, { list, tenant, page });
    // A stream of one or two events: published, withdrawn.
    const views = rows.map(({ body, withdrawn }) => ({ ...body, withdrawn, version: withdrawn ? 2 : 1 }));
    return this.cursors.page(list, page, views, ({ contentId }) => [contentId]);
  }

  private async campaigns(tenant: string, page: PageQuery, filter: CampaignFilter): Promise<Page<CampaignView>> {
    const { status = null, q = null, awaiting = null } = filter;
    const list = `campaigns:${tenant}:${JSON.stringify([status, q, awaiting])}`;
    const values = [status, q, awaiting];
    const rows = await this.rows<CampaignRow>('p_campaign_v3', CAMPAIGN_KEY, { list, tenant, page, values });
    const { items, next } = this.cursors.page(list, page, rows, ({ drafted_at: at, campaign_id: id }) => [
      at.toISOString(),
      id,
    ]);
    return { items: items.map((row) => viewOfCampaign(row.campaign_id, row.state, row.version)), next };
  }

  /** @param key columns that the list is ordered by, with their types */
  private rows<Row extends object>(
    table: string,
    key: Readonly<Record<string, string>>,
    { list, tenant, page, values = [] }: { list: string; tenant: string; page: PageQuery; values?: unknown[] },
  ): Promise<Row[]> {
    const after = this.cursors.after(list, page);
    const names = Object.keys(key).join(', ');
    const from = Object.values(key).map((type, i) => `$${i + 3 + values.length}::${type}`);
    const before = after === undefined ? '' : `and (${names}) < (${from.join(', ')})`;
    const order = Object.keys(key).map((name) => `${name} desc`);
    return this.databases.insight.inTenant(tenant, (tx) =>
      tx.query<Row>(
        `select * from proj.${table} where tenant = $1 ${values.length > 0 ? CAMPAIGN_FILTER : ''} ${before}
       order by ${order.join(', ')} limit $2`,
        [tenant, page.limit + 1, ...values, ...(after ?? [])],
      ),
    );
  }
}

const CAMPAIGN_FILTER = `
  and ($3::text[] is null or status = any($3))
  and ($4::text is null or position(lower($4) in lower(state->'settings'->>'name')) > 0)
  and ($5::text is null or (status = 'in-review'
    and not (state->'authors')::jsonb ? $5 and not (state->'approvals')::jsonb ? $5))`;

/** Newest first. A content's id is its upload's and sorts by time; a campaign's follows from its command and does not. */
const CONTENT_KEY = { content_id: 'uuid' };
const CAMPAIGN_KEY = { drafted_at: 'timestamptz', campaign_id: 'uuid' };

/** What of a tenant is read as a whole: its schema, its channels, and of each channel rules and keys. */
export class GetVocabulary<View> extends Query<View> {
  constructor(
    readonly what: 'schema' | 'review' | 'caps' | 'rules' | 'channels' | 'keys',
    readonly tenant: string,
    readonly channel: string = '',
  ) {
    super();
  }
}
export const getSchema = (tenant: string) => new GetVocabulary<SchemaView>('schema', tenant);
export const getCaps = (tenant: string) => new GetVocabulary<Caps>('caps', tenant);
export const getReview = (tenant: string) => new GetVocabulary<ReviewPolicy>('review', tenant);
export const getRules = (tenant: string, channel: string) => new GetVocabulary<RuleSetView>('rules', tenant, channel);
export const listChannels = (tenant: string) => new GetVocabulary<ChannelView[]>('channels', tenant);
export const getKeys = (tenant: string, channel: string) => new GetVocabulary<KeyStatus[]>('keys', tenant, channel);

@QueryHandler(GetVocabulary)
export class GetVocabularyHandler implements IQueryHandler<GetVocabulary<unknown>> {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(FirstChannel) private readonly first: FirstChannel,
    @Inject(RepositoryKeeper) private readonly keeper: RepositoryKeeper,
  ) {}

  async execute({ what, tenant, channel }: GetVocabulary<unknown>): Promise<unknown> {
    switch (what) {
      case 'schema':
        return (await this.board.tenant(tenant)).schema;
      case 'review':
        return { approvals: (await this.board.tenant(tenant)).approvals };
      case 'caps':
        return (await this.board.tenant(tenant)).caps;
      case 'rules':
        await this.first.ensure(tenant);
        await this.channels.require(tenant, channel);
        return (await this.board.tenant(tenant)).rules.get(channel);
      case 'channels':
        return this.channels.list(tenant);
      case 'keys':
        return this.keeper.status(tenant, channel);
    }
  }
}

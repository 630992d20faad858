import { type EventRecord, placeOf, type Report, type RoomAuditor } from '#event-log/index.js';
import type { AttributeSchema } from '#matching/index.js';
import { type CampaignState, noCampaign, evolve } from './campaign.js';
import { contentDecider, noContent } from './content.js';
import { campaignDecider, type CampaignCommand, type OmitOfEach } from './decide.js';
import { CampaignError } from './errors.js';
import type { CampaignEvent, CatalogueEvent, ContentEvent } from './events.js';
import type { Surroundings } from './settings.js';
import { CAPS_STREAM, EMPTY_SCHEMA, REVIEW_STREAM, rulesDecider, schemaDecider, SCHEMA_STREAM } from './vocabulary.js';

type Streams = Map<string, EventRecord[]>;

/** What all events of one tenant say of the world: schemas and contents only grow, so the end stands for every moment. */
interface World {
  schema: AttributeSchema;
  channels: Set<string>;
  contents: Set<string>;
}

/** Contents, campaigns and vocabulary: every event must be one that its decider would have answered. */
export class CampaignAuditor implements RoomAuditor {
  private readonly contents: Streams = new Map();
  private readonly campaigns: Streams = new Map();
  private readonly worlds = new Map<string, World>();
  private readonly tenantOf = new Map<string, string>();

  constructor(private readonly report: Report) {}

  visit(record: EventRecord): void {
    const { topic, stream, subject, tenant } = record;
    const streams = { 'muster.content': this.contents, 'muster.campaign': this.campaigns }[topic as string];
    if (streams === undefined) return;
    const records = streams.get(stream);
    if (records === undefined) streams.set(stream, [record]);
    else records.push(record); // the catalogue's stream alone grows with every publication
    this.learn(record);
    if (!subject.includes('-')) return; // not an id of its own
    const owner = this.tenantOf.get(subject) ?? tenant;
    this.tenantOf.set(subject, owner);
    if (owner !== tenant && !subject.includes(':'))
      this.find('I7', 'tenant.mixed', record, `tenant ${owner} has this id too`);
  }

  async finish(): Promise<void> {
    for (const records of this.contents.values()) this.content(records as EventRecord<ContentEvent>[]);
    for (const records of this.campaigns.values()) {
      const [subject = ''] = records.map((each) => each.subject);
      if (subject === SCHEMA_STREAM || subject === REVIEW_STREAM || subject === CAPS_STREAM || subject.includes(':'))
        this.vocabulary(subject, records as EventRecord<CatalogueEvent>[]);
      else this.campaign(records as EventRecord<CampaignEvent>[]);
    }
  }

  private learn({ tenant, type, data, subject }: EventRecord): void {
    const world = this.worldOf(tenant);
    if (type === 'AttributeSchemaPublished') world.schema = (data as { schema: AttributeSchema }).schema;
    if (type === 'RuleSetPublished') world.channels.add((data as { channel: string }).channel);
    if (type === 'ContentPublished') world.contents.add(subject);
  }

  private worldOf(tenant: string): World {
    const world = this.worlds.get(tenant) ?? { schema: EMPTY_SCHEMA, channels: new Set(), contents: new Set() };
    this.worlds.set(tenant, world);
    return world;
  }

  private content(records: readonly EventRecord<ContentEvent>[]): void {
    let state = noContent;
    for (const record of records) {
      const event = { type: record.type, data: record.data } as ContentEvent;
      this.follows(record, () =>
        event.type === 'ContentPublished'
          ? contentDecider.decide(state, {
              type: 'PublishContent',
              data: event.data,
              schema: this.worldOf(record.tenant).schema,
            })
          : contentDecider.decide(state, { type: 'WithdrawContent', data: event.data }),
      );
      state = contentDecider.evolve(state, event);
    }
  }

  private campaign(records: readonly EventRecord<CampaignEvent>[]): void {
    let state = noCampaign;
    for (const record of records) {
      const event = { type: record.type, data: record.data } as CampaignEvent;
      const before = state;
      this.follows(record, () => campaignDecider.decide(before, commandOf(event, this.around(record.tenant), before)));
      state = evolve(state, event);
    }
  }

  /** Streams `schema`, `rules:<channel>`, `catalogue:<channel>` and `selection:<channel>`. */
  private vocabulary(subject: string, records: readonly EventRecord<CatalogueEvent>[]): void {
    let [schema, rules, version] = [schemaDecider.initial, rulesDecider.initial, 0];
    for (const record of records) {
      const event = { type: record.type, data: record.data } as CatalogueEvent;
      switch (event.type) {
        case 'AttributeSchemaPublished': {
          const before = schema;
          this.follows(record, () => schemaDecider.decide(before, { type: 'PublishSchema', data: event.data }));
          schema = schemaDecider.evolve(schema, event);
          break;
        }
        case 'RuleSetPublished': {
          const before = rules;
          const data = { channel: event.data.channel, rules: event.data.rules as typeof rules };
          const command = { type: 'PublishRules' as const, data, schema: this.worldOf(record.tenant).schema };
          this.follows(record, () => rulesDecider.decide(before, command));
          rules = rulesDecider.evolve(rules, event);
          break;
        }
        case 'CataloguePublished':
          if (event.data.version <= version)
            this.find(
              'I6',
              'catalogue.version-back',
              record,
              `${subject} went from ${version} to ${event.data.version}`,
            );
          version = event.data.version;
          break;
        case 'NetworkCapsSet':
        case 'ReviewPolicySet': // any number may follow any other
        case 'SelectionChanged': // follows from campaigns at a moment that is not in the log
      }
    }
  }

  private around(tenant: string): Surroundings {
    const { schema, channels, contents } = this.worldOf(tenant);
    const contentOf = (id: string) => (contents.has(id) ? ('published' as const) : undefined);
    return {
      schema,
      channels,
      contentOf,
      selectorOf: () => 'true',
      offersOf: () => 0,
      approvals: 0,
      statusOf: () => 'completed',
    };
  }

  private follows(record: EventRecord, decide: () => readonly { type: string }[]): void {
    try {
      if (decide().some(({ type }) => type === record.type)) return;
      this.find('I4', 'campaign.refused', record, `${record.type} does not follow from what was before`);
    } catch (error) {
      // A window that never opens was not refused before 2026-12.
      if (record.schemaVersion === 1 && error instanceof CampaignError && error.code === 'campaign.window-shut') return;
      this.find(
        'I4',
        'campaign.refused',
        record,
        `${record.type}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  private find(invariant: 'I4' | 'I6' | 'I7', code: string, record: EventRecord, message: string): void {
    this.report({ invariant, code, where: placeOf(record), message });
  }
}

/** The command that the event answered, by whom it says; what it does not say stands where it refuses nothing. */
function commandOf(event: CampaignEvent, around: Surroundings, { last }: CampaignState): CampaignCommand {
  const { by, at } = event.data as { by?: string | null; at?: string };
  const given = { by: by ?? 'system:audit', now: at === undefined ? Number.NaN : Date.parse(at) };
  const command = orderOf(event, around);
  if (command.type === 'UndoStep') return { ...command, ...given, now: Date.parse(last?.at ?? '') };
  if (command.type === 'ScheduleCampaign') return { ...command, ...given, now: at === undefined ? 0 : given.now };
  return { ...command, ...given, now: at === undefined ? 8.64e15 : given.now };
}

type Order = OmitOfEach<CampaignCommand, 'by' | 'now'>;

/** Fields that say who and when are the command's, not its data's. */
const without = <T extends object>({
  by: _,
  at: __,
  ...data
}: T & { by?: unknown; at?: unknown }): Omit<T, 'by' | 'at'> => data;

function orderOf(event: CampaignEvent, around: Surroundings): Order {
  if (isReviewed(event)) return reviewOrderOf(event, around);
  switch (event.type) {
    case 'CampaignScheduled':
      return { type: 'ScheduleCampaign', data: without(event.data), around };
    case 'CampaignStarted':
      return { type: 'StartCampaign', data: without(event.data) };
    case 'WaveOpened':
      return { type: 'OpenWave', data: without(event.data) };
    case 'CampaignPaused':
      return { type: 'PauseCampaign', data: without(event.data) };
    case 'CampaignHalted':
      return { type: 'HaltCampaign', data: haltOf(event.data) };
    case 'CampaignResumed':
      return { type: 'ResumeCampaign', data: without(event.data) };
    case 'CampaignEnded':
      return { type: 'CompleteCampaign', data: without(event.data), underWay: 1 };
    case 'CampaignCompleted':
      return { type: 'CompleteCampaign', data: without(event.data), underWay: 0 };
    case 'CampaignAborted':
      return { type: 'AbortCampaign', data: without(event.data) };
    case 'CampaignStepUndone':
      return { type: 'UndoStep', data: { campaignId: event.data.campaignId, reason: event.data.reason } };
  }
}

type Reviewed = Extract<
  CampaignEvent,
  { type: 'CampaignDrafted' | 'CampaignEdited' | 'CampaignSubmitted' | 'CampaignApproved' | 'CampaignRejected' }
>;

const isReviewed = (event: CampaignEvent): event is Reviewed =>
  /^Campaign(Drafted|Edited|Submitted|Approved|Rejected)$/.test(event.type);

function reviewOrderOf(event: Reviewed, around: Surroundings): Order {
  switch (event.type) {
    case 'CampaignDrafted': {
      const { parent, ...data } = without(event.data);
      return { type: 'DraftCampaign', data: { ...data, ...(parent === null ? {} : { parent }) }, around };
    }
    case 'CampaignEdited':
      return { type: 'EditCampaign', data: without(event.data), around };
    case 'CampaignSubmitted': {
      const { campaignId, required, report, summary } = event.data;
      const shown = { ...(report === null ? {} : { report }), ...(summary === undefined ? {} : { summary }) };
      const data = { campaignId, ...shown };
      return { type: 'SubmitCampaign', data, around: { approvals: required } };
    }
    case 'CampaignApproved': {
      const { campaignId, remark } = event.data;
      return { type: 'ApproveCampaign', data: { campaignId, remark } };
    }
    case 'CampaignRejected':
      return { type: 'RejectCampaign', data: without(event.data) };
  }
}

function haltOf({
  campaignId,
  cause,
  rule,
  count,
  responded,
  tally,
}: Extract<CampaignEvent, { type: 'CampaignHalted' }>['data']): Extract<Order, { type: 'HaltCampaign' }>['data'] {
  if (cause === 'wave-timeout' || rule === null) return { campaignId, tally, cause: 'wave-timeout', responded };
  return { campaignId, tally, cause, fired: { rule, count, responded } };
}

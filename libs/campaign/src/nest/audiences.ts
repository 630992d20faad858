import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type CheckedRule, checkRule } from '#matching/index.js';
import { Turns } from '#runtime/index.js';
import { type AudienceShares, AudienceTally } from '../audience.js';
import type { TenantBoard } from '../board.js';
import { CampaignError, refusal } from '../errors.js';
import { conjunction } from '../offers.js';
import { checkedSelector } from '../selection.js';
import { LiveBoard } from './live-board.js';
import { type KnownRow, ToldValues } from './told-values.js';

/** Whom a rule is for is asked at each change of it, so an answer may not take long. */
const LOOKING_MS = 3_000;
/** Devices whose values are read at one time. */
const AT_ONCE = 16;
/** Of a sample, more than this is read together, so that the time is looked at now and then. */
const BATCH = 250;
const RETRY_SECONDS = 2;

export interface AudienceQuestion {
  selector: string;
  channel: string;
  /** Whose own selectors must hold as well, one of them; none: the rule stands for itself. */
  contents: readonly string[];
  /** What stands in its place today: a content's or a campaign's selector. */
  than: string | undefined;
  /** Devices that are looked at, at most. */
  sample: number;
}

export interface CountedAudience extends AudienceShares {
  /** Active devices of the channel. */
  devices: number;
  looked: number;
  /** The time was over before the sample was. */
  isPartial: boolean;
  /** The selector that `than` has. */
  thanSelector: string | null;
}

/** Counts whom a rule is for that is nowhere kept, by what the server knows of the devices now. */
@Injectable()
export class Audiences {
  private readonly turns = new Turns(2, 8, () => {
    const about = { retryAfterSeconds: RETRY_SECONDS };
    return new CampaignError('audience.busy', about, 'too many count devices just now');
  });

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(ToldValues) private readonly told: ToldValues,
  ) {}

  /** @throws MatchingError `rule.*`; CampaignError `content.unknown`, `audience.than` */
  async check(tenant: string, question: AudienceQuestion): Promise<void> {
    const board = await this.board.tenant(tenant);
    rulesOf(board, question);
    if (question.than !== undefined) selectorOf(board, question.than);
  }

  /** @throws as `check`; CampaignError `audience.busy` */
  async count(tenant: string, question: AudienceQuestion, ended: AbortSignal): Promise<CountedAudience> {
    const board = await this.board.tenant(tenant);
    const rules = rulesOf(board, question);
    const thanSelector = question.than === undefined ? null : selectorOf(board, question.than);
    const other = thanSelector === null ? undefined : checkedSelector(thanSelector, board.schema);
    const tally = new AudienceTally(rules, other === undefined || typeof other === 'string' ? [] : [other]);
    return this.turns.take(async () => {
      const { devices, rows } = await this.sample(tenant, question);
      const isPartial = await this.look(tenant, board, rows, tally);
      return { devices, isPartial, thanSelector, ...tally.shares(devices) };
    }, ended);
  }

  /** Picked by chance, and the same as long as the devices are: so that two rules, and two counts of one, can be compared. */
  private sample(
    tenant: string,
    { channel, sample }: AudienceQuestion,
  ): Promise<{ devices: number; rows: readonly KnownRow[] }> {
    const where = "where tenant = $1 and channel = $2 and status = 'active'";
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const [counted] = await tx.query<{ devices: number }>(
        `select count(*)::int as devices from ops.device ${where}`,
        [tenant, channel],
      );
      const { devices } = counted!;
      const share = devices <= sample ? 100 : (100 * sample) / devices;
      const rows = await tx.query<KnownRow>(
        `select device_id, kept_version from ops.device tablesample bernoulli ($3) repeatable (1) ${where}`,
        [tenant, channel, share],
      );
      return { devices, rows };
    });
  }

  /** @returns true when there was no time for all of them */
  private async look(
    tenant: string,
    { schema }: TenantBoard,
    rows: readonly KnownRow[],
    tally: AudienceTally,
  ): Promise<boolean> {
    const deadline = performance.now() + LOOKING_MS;
    for (let at = 0; at < rows.length; at += BATCH) {
      if (performance.now() > deadline) return true;
      const batch = rows.slice(at, at + BATCH);
      const places = await this.told.places(
        tenant,
        batch.map(({ device_id }) => device_id),
      );
      for (let of = 0; of < batch.length; of += AT_ONCE) {
        const some = batch.slice(of, of + AT_ONCE);
        const values = await Promise.all(
          some.map((row) => this.told.of(tenant, schema, row, places.get(row.device_id))),
        );
        for (const attributes of values) tally.add(attributes);
      }
    }
    return false;
  }
}

function rulesOf(board: TenantBoard, { selector, contents }: AudienceQuestion): CheckedRule[] {
  const rule = checkRule(selector, board.schema, 'selector', '/selector');
  if (contents.length === 0) return [rule];
  return contents.flatMap((contentId, i) => {
    const published = board.contents.get(contentId)?.published;
    if (!published) throw refusal('content.unknown', `/content/${i}`, 'no such content');
    const both = checkedSelector(conjunction(published.selector, selector), board.schema);
    return typeof both === 'string' ? [] : [both]; // over a limit together, and then for nobody
  });
}

function selectorOf(board: TenantBoard, id: string): string {
  const selector = board.contents.get(id)?.published?.selector ?? board.campaigns.get(id)?.settings?.selector;
  if (selector === undefined) throw refusal('audience.than', '/than', 'no content and no campaign');
  return selector;
}

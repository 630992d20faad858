import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { checkRule, type ExplainedRule } from '#matching/index.js';
import { RuleExplainer } from '../explain-rule.js';
import type { AudienceQuery, AudienceView } from './audience.dto.js';
import { Audiences } from './audiences.js';
import { Moments } from './moments.js';

/** Whom a rule is for that is nowhere kept. */
export class CountAudience extends Query<AudienceView> {
  constructor(
    readonly tenant: string,
    readonly query: AudienceQuery,
    readonly ended: AbortSignal,
  ) {
    super();
  }
}

const NOT_KNOWABLE: AudienceView = {
  ...{ isKnowable: false, devices: null, looked: null, isPartial: false, thanSelector: null },
  ...{ matching: null, notMatching: null, unknown: null, untold: null, gained: null, lost: null },
};

@QueryHandler(CountAudience)
export class CountAudienceHandler implements IQueryHandler<CountAudience> {
  constructor(@Inject(Audiences) private readonly audiences: Audiences) {}

  /** @throws MatchingError `rule.*`; CampaignError `content.unknown`, `audience.than`, `audience.busy` */
  async execute({ tenant, query, ended }: CountAudience): Promise<AudienceView> {
    const { selector, channel, content: contents = [], than, sample, mode } = query;
    const question = { selector, channel, contents, than, sample };
    if (mode === 'device') {
      await this.audiences.check(tenant, question);
      return NOT_KNOWABLE;
    }
    const counted = await this.audiences.count(tenant, question, ended);
    const compared = than === undefined ? { gained: null, lost: null } : {};
    return { isKnowable: true, ...counted, ...compared };
  }
}

/** What a rule that is nowhere kept comes to for one device. */
export class TryRule extends Query<ExplainedRule> {
  constructor(
    readonly tenant: string,
    readonly deviceId: string,
    readonly selector: string,
    readonly maySeePersonal: boolean,
  ) {
    super();
  }
}

@QueryHandler(TryRule)
export class TryRuleHandler implements IQueryHandler<TryRule> {
  constructor(@Inject(Moments) private readonly moments: Moments) {}

  /** @throws MatchingError `rule.*`; CampaignError `device.unknown`, `explain.*` */
  async execute({ tenant, deviceId, selector, maySeePersonal }: TryRule): Promise<ExplainedRule> {
    const { board, device } = await this.moments.at(tenant, deviceId, undefined);
    checkRule(selector, board.schema, 'selector', '/selector');
    const question = { side: 'server' as const, told: device.told, reported: undefined, maySeePersonal };
    return new RuleExplainer(board.schema).explain(selector, { ...question, withConditions: true });
  }
}

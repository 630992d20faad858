import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, execute, PostgresLog } from '#event-log/index.js';
import type { AttributeSchema, RuleSet } from '#matching/index.js';
import type { Caps } from '../caps.js';
import {
  CAPS_STREAM,
  capsDecider,
  REVIEW_STREAM,
  reviewDecider,
  type ReviewPolicy,
  rulesDecider,
  rulesStream,
  SCHEMA_STREAM,
  schemaDecider,
} from '../vocabulary.js';
import { Channels } from './channels.js';
import { FirstChannel } from './first-channel.js';
import { LiveBoard } from './live-board.js';

export type VocabularyOrder =
  | { type: 'PublishSchema'; data: { schema: unknown } }
  | { type: 'PublishRules'; data: { channel: string; rules: unknown } }
  | { type: 'SetReviewPolicy'; data: ReviewPolicy }
  | { type: 'SetNetworkCaps'; data: Caps };
type Published = AttributeSchema | RuleSet | ReviewPolicy | Caps;

/** `View` is what the order publishes or sets. */
export class RunVocabulary<View extends object> extends Command<View> {
  constructor(
    readonly order: VocabularyOrder,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RunVocabulary)
export class RunVocabularyHandler implements ICommandHandler<RunVocabulary<Published>> {
  constructor(
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(FirstChannel) private readonly first: FirstChannel,
  ) {}

  async execute({ order, context }: RunVocabulary<Published>): Promise<Published> {
    if (order.type === 'PublishSchema')
      return (await execute(this.log, schemaDecider, { subject: SCHEMA_STREAM }, order, context)).state;
    if (order.type === 'SetReviewPolicy')
      return (await execute(this.log, reviewDecider, { subject: REVIEW_STREAM }, order, context)).state;
    if (order.type === 'SetNetworkCaps')
      return (await execute(this.log, capsDecider, { subject: CAPS_STREAM }, order, context)).state;
    const { channel, rules } = order.data;
    await this.first.ensure(context.tenant);
    await this.channels.require(context.tenant, channel);
    const { schema } = await this.board.tenant(context.tenant);
    const command = { type: order.type, data: { channel, rules: rules as RuleSet }, schema };
    return (await execute(this.log, rulesDecider, { subject: rulesStream(channel) }, command, context)).state;
  }
}

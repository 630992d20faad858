import { Inject, Injectable } from '@nestjs/common';
import type { EnrolCatalogue } from '#identity/nest/identity.module.js';
import { CampaignError, refusal } from '../errors.js';
import { FirstChannel } from './first-channel.js';
import { ChannelTransactions } from './in-channel.js';
import { LiveBoard } from './live-board.js';
import { PollIntervals } from './poll-intervals.js';
import { standingFiles } from './repository-rows.js';

/** What a handset starts from: the newest root, which it trusts because it came with its certificate, and the rules. */
@Injectable()
export class EnrolMaterial implements EnrolCatalogue {
  constructor(
    @Inject(FirstChannel) private readonly first: FirstChannel,
    @Inject(ChannelTransactions) private readonly transactions: ChannelTransactions,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(PollIntervals) private readonly intervals: PollIntervals,
  ) {}

  /** @throws CampaignError `channel.unknown` */
  async material(tenant: string, channel: string): ReturnType<EnrolCatalogue['material']> {
    await this.first.ensure(tenant);
    const files = await this.transactions.read(tenant, channel, standingFiles);
    const root = files.get('root');
    const rules = (await this.board.tenant(tenant)).rules.get(channel);
    if (root === undefined) throw refusal('channel.unknown', '/channel', 'no such channel');
    if (rules === undefined) throw new CampaignError('channel.unknown', { channel }, 'the channel has no rules yet');
    return {
      tuf: `/tuf/${tenant}/${channel}/`,
      root: Buffer.from(root.bytes).toString('utf8'),
      rules: JSON.stringify(rules),
      intervalSeconds: this.intervals.seconds(),
    };
  }
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { refusal } from '../errors.js';
import type { KeyRole } from './channel-keys.js';
import { RepositoryKeeper } from './repository-keeper.js';
import type { ChannelMade, KeyStatus } from './vocabulary-view.dto.js';

export class AddChannel extends Command<ChannelMade> {
  constructor(
    readonly channel: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(AddChannel)
export class AddChannelHandler implements ICommandHandler<AddChannel> {
  constructor(@Inject(RepositoryKeeper) private readonly keeper: RepositoryKeeper) {}

  /** @throws CampaignError `channel.exists` */
  async execute({ channel, context }: AddChannel): Promise<ChannelMade> {
    const made = await this.keeper.make(context, channel);
    if (made === undefined) throw refusal('channel.exists', '/channel', 'there is a channel with this name already');
    return made;
  }
}

export class RotateKeys extends Command<KeyStatus[]> {
  constructor(
    readonly data: { channel: string; role: KeyRole; passphrase?: string },
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RotateKeys)
export class RotateKeysHandler implements ICommandHandler<RotateKeys> {
  constructor(@Inject(RepositoryKeeper) private readonly keeper: RepositoryKeeper) {}

  async execute({ data: { channel, role, passphrase }, context }: RotateKeys): Promise<KeyStatus[]> {
    await this.keeper.rotate(context, channel, role, passphrase);
    return this.keeper.status(context.tenant, channel);
  }
}

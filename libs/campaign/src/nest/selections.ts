import { Inject, Injectable } from '@nestjs/common';
import type { AvailabilityRequest } from '#device-protocol/index.js';
import { execute, PostgresLog } from '#event-log/index.js';
import { type DeviceIdentity, KeptAttributes } from '#identity/nest/identity.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { TenantBoard } from '../board.js';
import type { CatalogueEvent } from '../events.js';
import { ChannelSelection } from '../selection.js';
import { type Selected, selectFor } from '../server-side.js';
import { comparedBy } from '../values.js';
import { selectionDecider, selectionStream } from '../vocabulary.js';
import { Channels } from './channels.js';
import type { Told } from './described.js';
import { LiveBoard } from './live-board.js';
import type { Repository } from './served-files.js';

/** What the server selected for a device, from the campaigns of `digest`, by what it told. */
export interface Selection extends Selected {
  board: TenantBoard;
  digest: string;
  told: Told;
}

/** What the server selects from, by channel: kept as the board says, and on the record so that polls can name it. */
@Injectable()
export class Selections {
  private readonly selections = new Map<string, ChannelSelection>();

  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(KeptAttributes) private readonly kept: KeptAttributes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** What is selected from is kept by it. */
  tenant(tenant: string): Promise<TenantBoard> {
    return this.board.tenant(tenant);
  }

  /** What fits a device of what the server selects from, and what holds back the rest. @throws MatchingError `attributes.malformed` naming the attribute */
  async select(device: DeviceIdentity, { attributes, zone }: AvailabilityRequest): Promise<Selection> {
    const board = await this.board.tenant(device.tenant);
    const now = this.clock.now();
    const kept = await this.kept.of(device);
    const compared = comparedBy(board.schema, { attributes, at: instant(now) }, kept);
    const selection = this.of(device, board);
    const selected = selectFor(board, selection, { ...device, zone, attributes: compared }, now);
    const told = { schemaVersion: board.schema.version, zone, attributes };
    return { ...selected, board, digest: selection.digest, told };
  }

  of({ tenant, channel }: Repository, board: TenantBoard): ChannelSelection {
    const name = `${tenant}/${channel}`;
    const selection = this.selections.get(name) ?? new ChannelSelection(channel);
    this.selections.set(name, selection);
    return selection.follow(board);
  }

  /** A digest follows from the campaigns: whichever process records it, the polls of all of them are told by it. */
  async tick(tenant: string): Promise<void> {
    const board = await this.board.tenant(tenant);
    for (const { channel } of await this.channels.list(tenant)) {
      const { digest, campaigns } = this.of({ tenant, channel }, board);
      const isKnown = campaigns.length === 0 || board.selections.get(channel)?.has(digest) === true;
      if (!isKnown) await this.record(tenant, { channel, digest, campaigns });
    }
  }

  private async record(
    tenant: string,
    data: Extract<CatalogueEvent, { type: 'SelectionChanged' }>['data'],
  ): Promise<void> {
    const context = { tenant, actor: 'system:selection', commandId: `selection:${data.channel}:${data.digest}` };
    await execute(this.log, selectionDecider, { subject: selectionStream(data.channel) }, { data }, context);
  }
}

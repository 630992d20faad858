import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { CampaignState } from '../../campaign.js';
import type { ContentState } from '../../content.js';
import type { ActionState } from '../../ddi/action.js';
import { fileOf, type History, type Offered } from '../../ddi/bodies.js';
import { zoneOf } from '../../ddi/told-attributes.js';
import { CampaignError, refusal } from '../../errors.js';
import { ContentDigests } from '../content-digests.js';
import { LiveBoard } from '../live-board.js';
import { ServedFiles } from '../served-files.js';
import { DdiActions } from './ddi-actions.js';
import type { Action } from './ddi-rows.js';

export interface Artifact {
  action: Action;
  offered: Offered;
  campaign: CampaignState | undefined;
  content: ContentState;
}

/** hawkBit's names of how an action stands. */
const STATUS: Record<ActionState, string> = {
  waiting: 'WAIT_FOR_CONFIRMATION',
  offered: 'RUNNING',
  canceling: 'CANCELING',
  installed: 'RUNNING',
  finished: 'FINISHED',
  failed: 'ERROR',
  canceled: 'CANCELED',
  denied: 'CANCELED',
  ended: 'CANCELED',
};
const MESSAGES = 100;
/** When to ask again for what no gate says when it opens, s. */
const AGAIN_SECONDS = 60;

/** What stands behind an action of a hawkBit client: one artifact. */
@Injectable()
export class DdiArtifacts {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(ContentDigests) private readonly digests: ContentDigests,
    @Inject(ServedFiles) private readonly served: ServedFiles,
  ) {}

  /** @param states in which it is there. @throws CampaignError `ddi.unknown` */
  async read(device: DeviceIdentity, actionId: number, states: readonly ActionState[]): Promise<Artifact> {
    const board = await this.board.tenant(device.tenant);
    const action = await this.actions.one(board, device, actionId);
    const content = board.contents.get(action.contentId);
    if (!content?.published || !states.includes(action.state))
      throw refusal('ddi.unknown', '/actionId', 'no such action of this device, or not now');
    const { description, sizeBytes, sha256 } = content.published;
    const hashes = await this.digests.of(device.tenant, sha256);
    const offered = { actionId, name: description.name, version: description.version, sizeBytes, hashes };
    return { action, offered, content, campaign: board.campaigns.get(action.campaignId) };
  }

  /** The same by the name of its file. @throws CampaignError `ddi.unknown` */
  async file(
    device: DeviceIdentity,
    { moduleId, file }: { moduleId: number; file: string },
    states: readonly ActionState[],
  ): Promise<Artifact> {
    const artifact = await this.read(device, moduleId, states);
    const { name, hashes } = artifact.offered;
    if (file !== fileOf(name, hashes)) throw refusal('ddi.unknown', '/file', 'no such artifact');
    return artifact;
  }

  /** The first time that it is fetched is on the record: the client asks for it. */
  async retrieved(device: DeviceIdentity, { action }: Artifact): Promise<void> {
    if (action.isRetrieved) return;
    const { contentId, campaignId } = action;
    const { snapshotVersion } = await this.served.timestamp(device);
    const requested = { type: 'ContentRequested', data: { contentId, campaignId, snapshotVersion } } as const;
    await this.actions.record.turn(device, action, { mark: 'is_retrieved', owes: [requested] });
  }

  /** Its bytes keep to its window and caps as its link does. @throws CampaignError `ddi.held` */
  async mayFetch(device: DeviceIdentity, { action }: Artifact): Promise<void> {
    const board = await this.board.tenant(device.tenant);
    const { told } = await this.actions.devices.get(device);
    const held = await this.actions.withheld(board, device, action, zoneOf(told));
    if (held === undefined) return;
    const { gate, retryAfterSeconds = AGAIN_SECONDS } = held;
    throw new CampaignError('ddi.held', { gate, retryAfterSeconds }, 'not now: its window or a cap holds it back');
  }

  /** @param count of messages, as `actionHistory` asks; less than 0: all that are kept. None: without a history */
  async history(device: DeviceIdentity, { action }: Artifact, count: number): Promise<History | undefined> {
    if (count === 0) return undefined;
    const messages = await this.actions.rows.messages(device, action.actionId);
    return { status: STATUS[action.state], messages: messages.slice(0, count < 0 ? MESSAGES : count) };
  }
}

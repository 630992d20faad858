import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { TenantBoard } from '../../board.js';
import { isSettled } from '../../ddi/action.js';
import { type ToldAttributes, typedAttributes, zoneOf } from '../../ddi/told-attributes.js';
import type { DeviceFactByServer } from '../../events.js';
import type { SelectedOffer } from '../../selection.js';
import { Admissions } from '../admissions.js';
import type { FactOfServer } from '../fact-writer.js';
import { withoutThose } from '../../server-side.js';
import { type Selection, Selections } from '../selections.js';
import { ServedFiles } from '../served-files.js';
import { Tellings } from '../tellings.js';
import type { Action } from './ddi-rows.js';

export interface Chosen {
  offer?: SelectedOffer;
  held: Selection['held'];
  /** That it was made and granted. */
  facts: readonly DeviceFactByServer[];
  selection: Selection;
}

/** Which one of the offers that fit a hawkBit client it gets: the selection, gates and caps of every other device that tells what it is. */
@Injectable()
export class DdiChoice {
  constructor(
    @Inject(Selections) private readonly selections: Selections,
    @Inject(ServedFiles) private readonly served: ServedFiles,
    @Inject(Admissions) private readonly admissions: Admissions,
    @Inject(Tellings) private readonly tellings: Tellings,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  digestOf(board: TenantBoard, device: DeviceIdentity): string {
    return this.selections.of(device, board).digest;
  }

  /** @throws CampaignError `facts.too-many` */
  charge(device: DeviceIdentity, told: ToldAttributes): void {
    this.tellings.charge(device, { attributes: told, zone: 'UTC', except: [] });
  }

  /** The first that is to be had, granted to it. @param had its actions, none of them open */
  async choose(device: DeviceIdentity, told: ToldAttributes, had: readonly Action[]): Promise<Chosen> {
    const selection = await this.select(device, told, had);
    const { snapshotVersion } = await this.served.timestamp(device);
    const held = [...selection.held];
    for (const offer of selection.fits) {
      const now = this.clock.now();
      const admitted = await this.admissions.admit(selection.board, device, offer, { snapshotVersion, now });
      if ('gate' in admitted) {
        if (admitted.gate !== 'not-offered') held.push({ ...offer, ...admitted });
        continue;
      }
      const { contentId, campaignId } = offer;
      const made = { type: 'OfferMade' as const, data: { contentId, campaignId, isInline: false } };
      return { offer, held: withoutThose(held, [offer]), facts: [made, admitted.fact], selection };
    }
    return { held, facts: [], selection };
  }

  /** What a choice came to is on the record. @throws CampaignError `facts.too-many` */
  async record(
    device: DeviceIdentity,
    told: ToldAttributes,
    { selection, held }: Chosen,
    facts: readonly FactOfServer[],
  ): Promise<void> {
    await this.tellings.record(device, { ...selection, held }, facts, { isTold: Object.keys(told).length > 0 });
  }

  /** What it told is on the record, with what it comes to now. @throws CampaignError `facts.too-many` */
  async tell(device: DeviceIdentity, told: ToldAttributes, had: readonly Action[]): Promise<void> {
    await this.tellings.record(device, await this.select(device, told, had), []);
  }

  /** Without what it has had the end of, and without contents that wait for an application of a Muster agent. */
  private async select(device: DeviceIdentity, told: ToldAttributes, had: readonly Action[]): Promise<Selection> {
    const { schema } = await this.selections.tenant(device.tenant);
    const request = { attributes: typedAttributes(schema, told), zone: zoneOf(told), except: [] };
    const selection = await this.selections.select(device, request);
    const isNew = (offer: SelectedOffer) =>
      !had.some((action) => isSettled(action, offer)) &&
      (selection.board.contents.get(offer.contentId)?.published?.description.applications ?? []).length === 0;
    return { ...selection, fits: selection.fits.filter(isNew), held: selection.held.filter(isNew) };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import {
  type AvailabilityAnswer,
  AVAILABILITY_LIMITS as LIMITS,
  type AvailableContent,
} from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { Published } from '../content.js';
import type { DeviceFactByServer } from '../events.js';
import type { HeldBack } from '../offers.js';
import type { SelectedOffer } from '../selection.js';
import { withoutThose } from '../server-side.js';
import { Admissions } from './admissions.js';
import { FileStore } from './file-store.js';
import type { Selection } from './selections.js';
import { ServedFiles } from './served-files.js';

export interface Transmission {
  answer: AvailabilityAnswer;
  facts: DeviceFactByServer[];
  /** What a cap or another campaign of the group keeps back. */
  held: (SelectedOffer & HeldBack)[];
}

/** Makes the answer to an availability request: what is small rides in it, and all can be fetched by grant. */
@Injectable()
export class Transmissions {
  constructor(
    @Inject(ServedFiles) private readonly served: ServedFiles,
    @Inject(Admissions) private readonly admissions: Admissions,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @param except contents that the device has: named, and not transmitted */
  async of(
    device: DeviceIdentity,
    { board, fits }: Pick<Selection, 'board' | 'fits'>,
    except: readonly string[],
  ): Promise<Transmission> {
    const { etag: catalogue, snapshotVersion } = await this.served.timestamp(device);
    const contents: AvailableContent[] = [];
    const facts: DeviceFactByServer[] = [];
    const held: (SelectedOffer & HeldBack)[] = [];
    const now = this.clock.now();
    let room: number = LIMITS.inlineTotal;
    const done = new Set<string>();
    for (const offer of fits) {
      const { contentId, campaignId } = offer;
      if (done.has(contentId) || facts.length >= FACTS_EACH * LIMITS.perAnswer) continue;
      const content = board.contents.get(contentId)!.published!;
      if (except.includes(contentId)) {
        if (!(await this.admissions.isFor(board, device, offer, now))) continue;
        contents.push(named(offer, content));
        done.add(contentId);
        continue;
      }
      const admitted = await this.admissions.admit(board, device, offer, { snapshotVersion, now });
      if ('gate' in admitted) {
        if (admitted.gate !== 'not-offered') held.push({ ...offer, ...admitted });
        continue;
      }
      const { grant, url, fact } = admitted;
      const isInline = content.sizeBytes <= Math.min(LIMITS.inlineContent, room);
      if (isInline) room -= content.sizeBytes;
      const bytes = isInline ? { bytes: (await this.files.whole(content.sha256)).toString('base64') } : {};
      contents.push({ ...named(offer, content), transmitted: { grant, url, ...bytes } });
      facts.push({ type: 'OfferMade', data: { contentId, campaignId, isInline } }, fact);
      done.add(contentId);
    }
    return { answer: { contents, catalogue }, facts, held: withoutThose(held, contents) };
  }
}

/** That it was offered, and that it was granted. */
const FACTS_EACH = 2;

/** Without the selector, which stays here. */
const named = (
  { contentId, campaignId, priority }: SelectedOffer,
  { description, sizeBytes, sha256 }: Published,
): AvailableContent => ({ contentId, campaignId, priority, description, sizeBytes, sha256 });

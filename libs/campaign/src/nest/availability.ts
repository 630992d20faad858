import { Inject, Injectable } from '@nestjs/common';
import {
  type AvailabilityAnswer,
  type AvailabilityRequest,
  INBOX_HEADER,
  INTERVAL_HEADER,
} from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { opensInSeconds } from '../server-side.js';
import { DeviceVisits } from './device-visits.js';
import { PollIntervals } from './poll-intervals.js';
import { Selections } from './selections.js';
import { Tellings } from './tellings.js';
import { Transmissions } from './transmissions.js';

/** No gate that opens sooner is worth a question of every device that it holds. */
const LEAST_SECONDS = 60;

/** The server-side exchange: what the device is comes in, what fits goes out, in one round trip. */
@Injectable()
export class Availability {
  constructor(
    @Inject(Selections) private readonly selections: Selections,
    @Inject(Transmissions) private readonly transmissions: Transmissions,
    @Inject(Tellings) private readonly tellings: Tellings,
    @Inject(DeviceVisits) private readonly visits: DeviceVisits,
    @Inject(PollIntervals) private readonly intervals: PollIntervals,
  ) {}

  /**
   * @param trigger `Muster-Trigger`, as it came
   * @throws MatchingError `attributes.malformed` naming the attribute; CampaignError `facts.too-many`
   */
  async answer(
    device: DeviceIdentity,
    trigger: string | undefined,
    request: AvailabilityRequest,
  ): Promise<{ answer: AvailabilityAnswer; headers: Record<string, string> }> {
    this.tellings.charge(device, request);
    const selection = await this.selections.select(device, request);
    const { answer, facts, ...sent } = await this.transmissions.of(device, selection, request.except);
    const held = [...selection.held, ...sent.held];
    await this.tellings.record(device, { ...selection, held }, facts);
    this.visits.asked(device, selection.digest, { header: trigger, fits: selection.fits.length > 0 });
    const opens = Math.max(LEAST_SECONDS, opensInSeconds(held) ?? Number.POSITIVE_INFINITY);
    const seconds = Math.min(this.intervals.seconds(), opens);
    const headers = { [INTERVAL_HEADER]: String(seconds), [INBOX_HEADER]: await this.visits.inboxOf(device) };
    return { answer, headers };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { OfferRef } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { TenantBoard } from '../board.js';
import type { DeviceFactByServer } from '../events.js';
import type { HeldBack, MatchingSide } from '../offers.js';
import { GrantOffice } from './grant-office.js';
import { Leases } from './leases.js';
import { Outcomes } from './outcomes.js';

export interface Admitted {
  grant: string;
  url: string;
  /** That it was granted. */
  fact: DeviceFactByServer;
}

/** What is asked once the gates of the board are open: who a campaign that is tried again is for, caps and groups; and then the grant. */
@Injectable()
export class Admissions {
  constructor(
    @Inject(Outcomes) private readonly outcomes: Outcomes,
    @Inject(Leases) private readonly leases: Leases,
    @Inject(GrantOffice) private readonly grants: GrantOffice,
  ) {}

  /**
   * What only the server matches is asked for by identifier to be resumed, and so is what a draining campaign gave: by who was
   * granted it, and by nobody else.
   */
  async standingOf(
    board: TenantBoard,
    device: DeviceIdentity,
    ref: OfferRef,
  ): Promise<{ side: MatchingSide; isUnderWay: boolean }> {
    const campaign = board.campaigns.get(ref.campaignId);
    const isServers = campaign?.settings?.mode === 'server';
    const isUnderWay = (isServers || campaign?.status === 'draining') && (await this.leases.wasTaken(device, ref));
    return { side: isServers && isUnderWay ? 'server' : 'device', isUnderWay };
  }

  /** @param snapshotVersion that the request was made by */
  async admit(
    board: TenantBoard,
    device: DeviceIdentity,
    ref: OfferRef,
    { snapshotVersion, now }: { snapshotVersion: number; now: number },
  ): Promise<Admitted | HeldBack> {
    if (!(await this.isFor(board, device, ref, now))) return { gate: 'not-offered' };
    const held = await this.leases.take(board, device, ref, now);
    return held ?? this.grants.issue(device, ref, snapshotVersion);
  }

  /** A campaign that is tried again is for those of whom became what it says. */
  async isFor(
    { campaigns }: TenantBoard,
    { tenant, deviceId }: DeviceIdentity,
    { campaignId }: OfferRef,
    now: number,
  ): Promise<boolean> {
    const parent = campaigns.get(campaignId)?.parent;
    const settings = parent && campaigns.get(parent.campaignId)?.settings;
    if (!parent || !settings) return true;
    const outcome = await this.outcomes.ofDevice(tenant, parent.campaignId, settings, { now, deviceId });
    return outcome !== undefined && parent.outcomes.includes(outcome);
  }
}

import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { fingerprintOf } from '#identity/index.js';
import { CertificateAuthority, PeopleGuard, SignedIn } from '#identity/nest/identity.module.js';
import { InstallationDto } from './installation.dto.js';
import { migrations } from './rooms.js';

/** Where handsets reach this installation: known when the ports are open. */
export class HandsetAddress {
  url: string = '';
}

/** Migrations are ordered by the time at the end of their names, not by their names. */
const NEWEST = `
  select name, current_setting('server_version') as version from ops.migration order by timestamp desc limit 1`;
const known = migrations
  .map(({ name }) => name)
  .reduce((newest, name) => (timeIn(name) > timeIn(newest) ? name : newest));

@Controller('v1/installation')
@UseGuards(PeopleGuard)
export class InstallationController {
  constructor(
    @Inject(HandsetAddress) private readonly address: HandsetAddress,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
    @Inject(Databases) private readonly databases: Databases,
  ) {}

  /** What an enrolment line needs beside its code, and what the installation runs on. */
  @Get()
  @SignedIn()
  async installation(): Promise<InstallationDto> {
    const [newest] = await this.databases.actor.query<{ name: string; version: string }>(NEWEST);
    return {
      handsetUrl: this.address.url,
      caFingerprint: fingerprintOf(await this.authority.serverCa()),
      databaseVersion: newest?.version ?? '',
      schema: { applied: newest?.name ?? '', known },
    };
  }
}

function timeIn(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? 0);
}

import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { fingerprintOf } from '#identity/index.js';
import { CertificateAuthority, PeopleGuard, SignedIn } from '#identity/nest/identity.module.js';

/** Where handsets reach this installation: known when the ports are open. */
export class HandsetAddress {
  url: string = '';
}

export class InstallationDto {
  /** Base address of the handset's port. */
  handsetUrl!: string;
  /** sha-256 of the CA of its certificate, hex: what an enrolment pins. */
  caFingerprint!: string;
}

@Controller('v1/installation')
@UseGuards(PeopleGuard)
export class InstallationController {
  constructor(
    @Inject(HandsetAddress) private readonly address: HandsetAddress,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
  ) {}

  /** What an enrolment line needs beside its code. */
  @Get()
  @SignedIn()
  async installation(): Promise<InstallationDto> {
    return { handsetUrl: this.address.url, caFingerprint: fingerprintOf(await this.authority.serverCa()) };
  }
}

import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ENROL_CATALOGUE } from '#identity/nest/identity.module.js';
import { registerChallenge, registerProblemForm, registerStatus } from '#runtime/nest/runtime.module.js';
import { hawkbitRefusal } from '../ddi/refusal-body.js';
import { campaignControllers, campaignProviders } from './campaign-providers.js';
import { DDI_ROUTES } from './ddi/ddi.controller.js';
import { EnrolMaterial } from './enrol-material.js';
import { FileStore } from './file-store.js';
import { CreateCampaign1767200000000 } from './migrations/create-campaign.js';
import { CreateDescribed1767200000002 } from './migrations/create-described.js';
import { CreateDdi1767200000010 } from './migrations/create-ddi.js';
import { LeaseGrants1767200000003 } from './migrations/lease-grants.js';
import { CreateWake1767200000014 } from './migrations/create-wake.js';
import { OweDdi1767200000015 } from './migrations/owe-ddi.js';
import { CreateWebhooks1767200000016 } from './migrations/create-webhooks.js';
import { NoteInboxChanges1767200000001 } from './migrations/note-inbox-changes.js';
import { CAMPAIGN_OPTIONS, type CampaignOptions } from './options.js';
import { CHALLENGES, STATUSES } from './statuses.js';

export { campaignDefinitions } from '../events.js';
export { campaignProjections } from '../views.js';
export { FileStore };
export { FirstChannel } from './first-channel.js';
export type { CampaignOptions } from './options.js';

/** In order; they come after those of identity. */
export const campaignMigrations = [
  CreateCampaign1767200000000,
  NoteInboxChanges1767200000001,
  CreateDescribed1767200000002,
  LeaseGrants1767200000003,
  CreateDdi1767200000010,
  CreateWake1767200000014,
  OweDdi1767200000015,
  CreateWebhooks1767200000016,
];

registerStatus(STATUSES);
registerProblemForm(DDI_ROUTES, hawkbitRefusal);
registerChallenge(CHALLENGES);

/** Contents, campaigns, catalogues and the handset's routes. Global, because it gives identity what enrolment needs. */
@Module({})
export class CampaignModule {
  static forRoot(options: CampaignOptions): DynamicModule {
    const material = { provide: ENROL_CATALOGUE, useClass: EnrolMaterial };
    return {
      module: CampaignModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      controllers: campaignControllers,
      providers: [{ provide: CAMPAIGN_OPTIONS, useValue: options }, material, ...campaignProviders],
      exports: [ENROL_CATALOGUE, FileStore],
    };
  }
}
